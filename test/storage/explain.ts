import type { DataSource, Logger } from 'typeorm';

export interface Statement {
  sql: string;
  values: unknown[];
}

/** How a database answers one statement. */
export interface Explained extends Statement {
  /** Of our tables: `key` for the primary key, else what comes after the table's name. */
  indexes: string[];
  /** One of our tables is read without an index. */
  scans: boolean;
  /** Rows and entries of an index that were looked at; SQLite does not tell. */
  lookedAt: number | undefined;
}

/** The statements that `work` gives a data source. */
export async function statementsOf(dataSource: DataSource, work: () => Promise<unknown>): Promise<Statement[]> {
  const seen: Statement[] = [];
  const before = dataSource.logger;
  const nothing = () => undefined;
  const logger: Logger = {
    logQuery: (sql, values = []) => void seen.push({ sql, values: values as unknown[] }),
    logQueryError: nothing,
    logQuerySlow: nothing,
    logSchemaBuild: nothing,
    logMigration: nothing,
    log: nothing,
  };
  Object.assign(dataSource, { logger });
  try {
    await work();
  } finally {
    Object.assign(dataSource, { logger: before });
  }
  return seen;
}

/** Asks the database for its plan and, but for what deletes, runs the statement again to count what it looks at. */
export function explain(dataSource: DataSource, statement: Statement): Promise<Explained> {
  const { type } = dataSource.options;
  if (type === 'postgres') return explainPostgres(dataSource, statement);
  return type === 'better-sqlite3' ? explainSqlite(dataSource, statement) : explainMariadb(dataSource, statement);
}

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Actual Rows'?: number;
  'Actual Loops'?: number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

async function explainPostgres(dataSource: DataSource, { sql, values }: Statement): Promise<Explained> {
  const options = isRead(sql) ? 'ANALYZE, FORMAT JSON' : 'FORMAT JSON';
  const [row] = await dataSource.query<[{ 'QUERY PLAN': [{ Plan: PlanNode }] }]>(`EXPLAIN (${options}) ${sql}`, values);
  const nodes = [...nodesOf(row['QUERY PLAN'][0].Plan)];
  const lookedAt = nodes
    .filter((node) => 'Relation Name' in node)
    .reduce((sum, node) => {
      const rows = (node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0);
      return sum + rows * (node['Actual Loops'] ?? 1);
    }, 0);
  return {
    sql,
    values,
    indexes: nodes.flatMap((node) => (node['Index Name'] ? [suffixOf(node['Index Name'])] : [])),
    scans: nodes.some((node) => node['Node Type'] === 'Seq Scan'),
    lookedAt,
  };
}

function* nodesOf(node: PlanNode): Iterable<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* nodesOf(child);
}

async function explainSqlite(dataSource: DataSource, { sql, values }: Statement): Promise<Explained> {
  const rows = await dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, values);
  const ours = rows
    .map(({ detail }) => detail)
    .filter((detail) => /^(SCAN|SEARCH) (activity|message|activit)/.test(detail));
  const indexes = ours.map((detail) => /USING (?:COVERING )?INDEX (\S+)/.exec(detail)?.[1]);
  return {
    sql,
    values,
    indexes: indexes.flatMap((index) => (index ? [suffixOf(index)] : [])),
    scans: indexes.includes(undefined),
    lookedAt: undefined,
  };
}

async function explainMariadb(dataSource: DataSource, { sql, values }: Statement): Promise<Explained> {
  const rows = await dataSource.query<{ table: string | null; type: string; key: string | null }[]>(
    `EXPLAIN ${sql}`,
    values,
  );
  const ours = rows.filter(({ table }) => table !== null && !table.startsWith('<'));
  return {
    sql,
    values,
    indexes: ours.flatMap(({ key }) => (key ? [suffixOf(key)] : [])),
    scans: ours.some(({ type }) => type === 'ALL'),
    lookedAt: isRead(sql) ? await handlerReads(dataSource, { sql, values }) : undefined,
  };
}

/** What MariaDB itself counts: each row or entry that is read, those of its temporary tables too. */
async function handlerReads(dataSource: DataSource, { sql, values }: Statement): Promise<number> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query('FLUSH STATUS');
    await runner.query(sql, values);
    const counts = (await runner.query(`SHOW SESSION STATUS LIKE 'Handler_read%'`)) as { Value: string }[];
    return counts.reduce((sum, { Value }) => sum + Number(Value), 0);
  } finally {
    await runner.release();
  }
}

function isRead(sql: string): boolean {
  return /^SELECT/i.test(sql);
}

function suffixOf(index: string): string {
  return /^(PK_|PRIMARY$|sqlite_autoindex_)/.test(index) ? 'key' : index.replace(/^(activities|activity_\w+?)_by_/, '');
}
