import { Body, Controller, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ActivityModule, CurrentActivity, TrackedActivity, type ActivityContext } from 'nestjs-activity';
import { ActivityAdminModule } from 'nestjs-activity/admin';

@Controller('links')
class LinksController {
  @Post('check')
  @TrackedActivity({ type: 'links.check', timeout: '10m' })
  async check(@Body('urls') urls: string[], @CurrentActivity() activity: ActivityContext) {
    for (const [index, url] of urls.entries()) {
      const { status } = await fetch(url, { signal: activity.signal });
      activity.log.info(`${url} answers ${status}`);
      activity.progress({ current: index + 1, total: urls.length, unit: 'links' });
    }
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'better-sqlite3', database: 'app.db' }),
    ActivityModule.forRoot(),
    ActivityAdminModule.forRoot({ public: true }), // or { guards: [YourAdminGuard] }
  ],
  controllers: [LinksController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
