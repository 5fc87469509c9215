import 'reflect-metadata';
import { Inject, Injectable, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Command, CommandFactory, CommandRunner } from 'nest-commander';
import { ActivityModule, TrackedActivity, currentActivity } from 'nestjs-activity';
import type { DataSourceOptions } from 'typeorm';

@Injectable()
class Importer {
  @TrackedActivity({ type: 'import.file' })
  async read(file: string): Promise<number> {
    if (file === 'missing.csv') throw new Error('there is no missing.csv');
    currentActivity().log.info(`reading ${file}`);
    return 3;
  }
}

@Command({ name: 'import', arguments: '<file>' })
class ImportCommand extends CommandRunner {
  // By token: the compiler of this process writes no types of parameters.
  constructor(@Inject(Importer) private readonly importer: Importer) {
    super();
  }

  @TrackedActivity({ type: 'import', resource: ({ args: [[file]] }) => ({ type: 'file', id: file as string }) })
  override async run([file]: string[]): Promise<void> {
    process.stdout.write(`imported ${await this.importer.read(file!)}\n`);
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot(JSON.parse(process.env.DATABASE!) as DataSourceOptions),
    ActivityModule.forRoot({ actor: () => process.env.OPERATOR }),
  ],
  providers: [Importer, ImportCommand],
})
class AppModule {}

await CommandFactory.run(AppModule, {
  logger: ['warn', 'error'],
  serviceErrorHandler: (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 3;
  },
});
