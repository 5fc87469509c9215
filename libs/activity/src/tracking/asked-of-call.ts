import type { ExecutionContext } from '@nestjs/common';
import { fingerprintOf } from '../execution/fingerprint.js';
import type { Asked } from '../execution/run-request.js';
import { credentialsOf } from './key-owner.js';

interface AskingRequest {
  headers?: Record<string, unknown>;
  method?: string;
  originalUrl?: string;
  url?: string;
  body?: unknown;
  /** As multer leaves them. */
  file?: unknown;
  files?: unknown;
}

/** What a call asks for: of HTTP method, path, query, body and files; of a message its payload; else the arguments. */
export function askedOf(call: { context?: ExecutionContext; isHandler: boolean; args: unknown[] }): Asked {
  const { context, isHandler, args } = call;
  switch (isHandler ? context?.getType<string>() : undefined) {
    case 'http': {
      const request = context!.switchToHttp().getRequest<AskingRequest>();
      const { method, originalUrl, url, body, file, files } = request;
      const credentials = credentialsOf(request);
      const uploads = [file, files].map(uploaded);
      return {
        fingerprint: fingerprintOf([method, originalUrl ?? url, body, uploads]),
        ...(credentials === undefined ? {} : { credentials }),
      };
    }
    case 'rpc':
      return { fingerprint: fingerprintOf(context!.switchToRpc().getData()) };
    case 'ws':
      return { fingerprint: fingerprintOf(context!.switchToWs().getData()) };
    case 'graphql':
      return { fingerprint: fingerprintOf(context!.getArgByIndex(1)) };
    default:
      return { fingerprint: fingerprintOf(args) };
  }
}

/** Without what differs with each upload: where it lies on the disk. */
function uploaded(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(uploaded);
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('originalname' in value)) return Object.entries(value).map(([name, inner]) => [name, uploaded(inner)]);
  const { fieldname, originalname, mimetype, size, buffer } = value as Record<string, unknown>;
  return { fieldname, originalname, mimetype, size, buffer };
}
