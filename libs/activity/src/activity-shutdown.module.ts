import { Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { Shutdown } from './recovery/shutdown.js';

/** What runs ends before the app's own hooks take away what it needs (a client of a database, a pool). */
@Injectable()
class ActivityShutdownHook implements OnModuleDestroy {
  constructor(@Inject(Shutdown) private readonly shutdown: Shutdown) {}

  onModuleDestroy(): Promise<void> {
    return this.shutdown.begin();
  }
}

/** The module whose hook is called first when the application stops: see `placeFirstAndLast`. */
@Module({ providers: [ActivityShutdownHook] })
export class ActivityShutdownModule {}
