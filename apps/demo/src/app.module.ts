import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule } from 'nestjs-activity';
import { ActivityAdminModule, ActivityExceptionFilter } from 'nestjs-activity/admin';
import { ChecksumsModule } from './checksums/checksums.module.js';
import { CommandsModule } from './commands/commands.module.js';
import { DemoGuard } from './demo.guard.js';
import { DEMO_SETTINGS, type DemoSettings } from './demo.settings.js';
import { ImportsModule } from './imports/imports.module.js';
import { DatabaseUpkeep } from './upkeep/database-upkeep.js';

@Module({})
export class AppModule {
  static forRoot(settings: DemoSettings): DynamicModule {
    return {
      module: AppModule,
      global: true,
      imports: [
        TypeOrmModule.forRoot({
          type: 'better-sqlite3',
          database: settings.database,
          autoLoadEntities: true,
          synchronize: true,
        }),
        ScheduleModule.forRoot(),
        // Somebody sits at the terminal and waits: the default is 10 s.
        ActivityModule.forRoot({ shutdownGrace: '1s', statusRoute: { path: 'operations', guards: [DemoGuard] } }),
        ActivityAdminModule.forRoot({ path: 'admin/activities', guards: [DemoGuard] }),
        ChecksumsModule,
        ImportsModule,
        CommandsModule,
      ],
      providers: [
        { provide: DEMO_SETTINGS, useValue: settings },
        { provide: APP_FILTER, useClass: ActivityExceptionFilter },
        DatabaseUpkeep,
      ],
      exports: [DEMO_SETTINGS],
    };
  }
}
