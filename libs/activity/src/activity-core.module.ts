import {
  Global,
  Inject,
  Injectable,
  Logger,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import {
  APP_INTERCEPTOR,
  ApplicationConfig,
  DiscoveryModule,
  DiscoveryService,
  ModuleRef,
  ModulesContainer,
} from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { ActivityShutdownModule } from './activity-shutdown.module.js';
import { ActivityService } from './activity.service.js';
import { ACTIVITY_BUS, type ActivityBus } from './bus/activity-bus.js';
import { chooseCarrier } from './bus/choose-carrier.js';
import { SharedBus } from './bus/shared-bus.js';
import { captureNestLogs } from './capture/log-capture.js';
import {
  resolveModuleOptions,
  type ActivityModuleOptions,
  type ActivitySettings,
} from './config/activity-module.options.js';
import { ACTIVITY_SETTINGS, ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } from './config/module-definition.js';
import { ActivityEvents } from './execution/activity-events.js';
import { ActivityRunner } from './execution/activity-runner.js';
import { CONCURRENCY_LIMITER, type ConcurrencyLimiter } from './execution/concurrency-limiter.js';
import { InProcessLimiter } from './execution/in-process-limiter.js';
import { RemoteChanges } from './execution/remote-changes.js';
import { ActivityModuleDuplicateError } from './model/errors.js';
import { LeaseKeeper } from './recovery/lease-keeper.js';
import { OwnerSweep } from './recovery/owner-sweep.js';
import { RetentionTimer } from './recovery/retention-timer.js';
import { Shutdown } from './recovery/shutdown.js';
import { StallWatch } from './recovery/stall-watch.js';
import type { ActivityStore } from './storage/activity-store.js';
import { SqlActivityStore } from './storage/sql-activity-store.js';
import { ActivityAddresses } from './tracking/activity-addresses.js';
import { ActivityInterceptor } from './tracking/activity.interceptor.js';
import { interceptMessageHandlers } from './tracking/message-handlers.js';
import { ActivityResponses } from './tracking/responses/activity-responses.js';
import { refuseImpossibleResponses } from './tracking/responses/refuse-impossible.js';
import { SeenDurations } from './tracking/responses/seen-durations.js';
import { ACTIVITY_READER } from './tracking/status/status.routes.js';
import { placeFirstAndLast } from './place-first-and-last.js';
import { readyTrackedInstances } from './tracking/tracked-instances.js';
import { noteTracker } from './tracking/untracked-calls.js';

const ACTIVITY_STORE = Symbol('ActivityStore');
/** How long the last writes may take when the application stops. */
const CLOSE_TIMEOUT_MS = 5_000;
const logger = new Logger('Activity');

/** Opens the store before the app's own start-up hooks run, and closes it after all others. */
@Injectable()
class ActivityLifecycle implements OnModuleInit, OnApplicationShutdown {
  private stopTracking: (() => void) | undefined;
  private stopCapture: (() => void) | undefined;

  constructor(
    @Inject(ActivityRunner) private readonly runner: ActivityRunner,
    @Inject(ACTIVITY_STORE) private readonly store: SqlActivityStore,
    @Inject(ACTIVITY_BUS) private readonly bus: SharedBus,
    @Inject(ActivityEvents) private readonly events: ActivityEvents,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(LeaseKeeper) private readonly lease: LeaseKeeper,
    @Inject(OwnerSweep) private readonly sweep: OwnerSweep,
    @Inject(StallWatch) private readonly stalls: StallWatch,
    @Inject(RetentionTimer) private readonly retention: RetentionTimer,
    @Inject(RemoteChanges) private readonly remoteChanges: RemoteChanges,
    @Inject(Shutdown) private readonly shutdown: Shutdown,
    @Inject(ActivityAddresses) addresses: ActivityAddresses,
    @Inject(ActivityResponses) private readonly responses: ActivityResponses,
  ) {
    placeFirstAndLast(modules, { first: ActivityCoreModule, last: ActivityShutdownModule });
    // Here, since `connectMicroservice()` comes before the start.
    interceptMessageHandlers(discovery, new ActivityInterceptor(addresses, responses));
  }

  async onModuleInit(): Promise<void> {
    const cores = [...this.modules.values()].filter((module) => module.metatype === ActivityCoreModule);
    if (cores.length > 1) throw new ActivityModuleDuplicateError();
    this.stopTracking = noteTracker();
    readyTrackedInstances(this.discovery, this.runner);
    this.readyResponses();
    await this.store.open();
    this.lease.start();
    this.sweep.start();
    this.stalls.start();
    this.retention.start();
    this.remoteChanges.start();
    await this.openBus();
    const { captureLogs } = this.runner.settings;
    if (captureLogs) this.stopCapture = captureNestLogs(this.runner, captureLogs);
  }

  private async openBus(): Promise<void> {
    const carrier = await chooseCarrier(this.runner.settings.bus, () => this.store.notifications());
    if (carrier) this.bus.open(carrier);
  }

  private readyResponses(): void {
    const prototypes = this.discovery
      .getControllers()
      .map(({ metatype }) => (metatype as { prototype?: object } | null)?.prototype)
      .filter((prototype) => prototype !== undefined);
    this.responses.ready(prototypes.flatMap(refuseImpossibleResponses));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.shutdown.finish();
    this.stopTracking?.();
    this.stopCapture?.();
    this.stalls.stop();
    this.remoteChanges.stop();
    await Promise.all([this.retention.stop(), this.sweep.stop()]);
    // The lease is kept until the last write, and given back with the connection.
    await this.store.close(CLOSE_TIMEOUT_MS);
    await this.lease.stop();
    this.events.close();
    await this.bus.close();
  }
}

@Global()
@Module({
  imports: [DiscoveryModule, ActivityShutdownModule],
  providers: [
    {
      provide: ACTIVITY_SETTINGS,
      inject: [MODULE_OPTIONS_TOKEN],
      useFactory: (options: ActivityModuleOptions) => resolveModuleOptions(options),
    },
    {
      provide: ACTIVITY_STORE,
      inject: [ACTIVITY_SETTINGS, ModuleRef],
      useFactory: (settings: ActivitySettings, moduleRef: ModuleRef) =>
        new SqlActivityStore(settings, () => findDataSource(moduleRef, settings.dataSource), logger),
    },
    {
      provide: ACTIVITY_BUS,
      inject: [ACTIVITY_SETTINGS, ACTIVITY_STORE],
      useFactory: ({ cancelPoll }: ActivitySettings, { ownerId }: ActivityStore) =>
        new SharedBus({ from: ownerId, pollMs: cancelPoll, logger }),
    },
    { provide: CONCURRENCY_LIMITER, useClass: InProcessLimiter },
    { provide: ActivityEvents, useFactory: () => new ActivityEvents(logger) },
    {
      provide: ActivityRunner,
      inject: [ACTIVITY_SETTINGS, ACTIVITY_STORE, ACTIVITY_BUS, CONCURRENCY_LIMITER, ActivityEvents],
      useFactory: (
        settings: ActivitySettings,
        store: ActivityStore,
        bus: ActivityBus,
        limiter: ConcurrencyLimiter,
        events: ActivityEvents,
      ) => new ActivityRunner({ settings, store, bus, limiter, events, logger }),
    },
    {
      provide: ActivityService,
      inject: [ActivityRunner, ACTIVITY_STORE, ACTIVITY_BUS, ActivityEvents],
      useFactory: (runner: ActivityRunner, store: ActivityStore, bus: ActivityBus, events: ActivityEvents) =>
        new ActivityService({ runner, store, bus, events }),
    },
    {
      provide: ActivityAddresses,
      inject: [ApplicationConfig],
      useFactory: (config: ApplicationConfig) => new ActivityAddresses(config),
    },
    {
      provide: LeaseKeeper,
      inject: [ACTIVITY_SETTINGS, ACTIVITY_STORE, ActivityRunner],
      useFactory: ({ lease, cancelPoll }: ActivitySettings, store: ActivityStore, { running }: ActivityRunner) =>
        new LeaseKeeper({ store, running, leaseMs: lease, pollMs: cancelPoll, logger }),
    },
    {
      provide: RemoteChanges,
      inject: [ActivityRunner, ACTIVITY_STORE, ACTIVITY_BUS],
      useFactory: ({ running, settings }: ActivityRunner, store: ActivityStore, bus: ActivityBus) =>
        new RemoteChanges({ running, store, bus, everyMs: settings.cancelPoll, logger }),
    },
    {
      provide: Shutdown,
      inject: [ActivityRunner],
      useFactory: (runner: ActivityRunner) => new Shutdown(runner, logger),
    },
    {
      provide: OwnerSweep,
      inject: [ActivityRunner, ACTIVITY_STORE, ACTIVITY_BUS, ActivityEvents],
      useFactory: (
        { settings, unrecorded }: ActivityRunner,
        store: ActivityStore,
        bus: ActivityBus,
        events: ActivityEvents,
      ) => new OwnerSweep({ store, unrecorded, bus, events, leaseMs: settings.lease, logger }),
    },
    {
      provide: StallWatch,
      inject: [ACTIVITY_SETTINGS, ActivityRunner],
      useFactory: ({ lease }: ActivitySettings, { running }: ActivityRunner) =>
        new StallWatch({ running, leaseMs: lease, logger }),
    },
    {
      provide: RetentionTimer,
      inject: [ACTIVITY_SETTINGS, ACTIVITY_STORE],
      useFactory: ({ retention }: ActivitySettings, store: ActivityStore) =>
        new RetentionTimer(retention, store, logger),
    },
    {
      provide: SeenDurations,
      inject: [ActivityEvents],
      useFactory: (events: ActivityEvents) => new SeenDurations(events),
    },
    ActivityResponses,
    { provide: ACTIVITY_READER, useExisting: ActivityService },
    { provide: APP_INTERCEPTOR, useClass: ActivityInterceptor },
    ActivityLifecycle,
  ],
  exports: [ActivityRunner, ActivityService, Shutdown, ActivityAddresses, ACTIVITY_READER, SeenDurations],
})
export class ActivityCoreModule extends ConfigurableModuleClass {}

/** Found when the store opens, not when it is made: the app's data sources are all there by then, in any import order. */
function findDataSource(moduleRef: ModuleRef, name: string | undefined): DataSource | undefined {
  try {
    return moduleRef.get<DataSource>(getDataSourceToken(name), { strict: false });
  } catch {
    return undefined;
  }
}
