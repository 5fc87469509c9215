import type { ActivityBusCarrier, BusOption } from '../config/bus.options.js';
import { ActivityOptionError } from '../model/errors.js';
import { PostgresCarrier, type PostgresCarrierParts } from './postgres-carrier.js';

/**
 * What carries notices to other processes; undefined where nothing does.
 * @param notifications  of the database that has the activities; undefined where it is no PostgreSQL.
 * @throws {ActivityOptionError} when PostgreSQL is asked for and not there.
 */
export async function chooseCarrier(
  option: BusOption | undefined,
  notifications: () => Promise<PostgresCarrierParts | undefined>,
): Promise<ActivityBusCarrier | undefined> {
  if (option === 'off') return undefined;
  if (typeof option === 'function') return option();
  const parts = await notifications();
  if (parts) return new PostgresCarrier(parts);
  if (option === undefined) return undefined;
  throw new ActivityOptionError('ActivityModule options', [
    '`bus` is "postgres", but the activities are in another database: leave it out, or use redisBus()',
  ]);
}
