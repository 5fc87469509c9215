import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { USER_HEADER } from './demo.guard.js';

/** Swagger UI at `/docs`, for the demo's routes and the admin API alike. */
export function serveDocs(app: INestApplication): void {
  const config = new DocumentBuilder()
    .setTitle('Demo of nestjs-activity')
    .setDescription(
      'Start something under `checksums`, `imports` or `commands`; watch and cancel it under `activities`.',
    )
    .addApiKey(
      { type: 'apiKey', in: 'header', name: USER_HEADER, description: 'Who you are, e.g. `ada`.' },
      USER_HEADER,
    )
    .addSecurityRequirements(USER_HEADER)
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, config));
}
