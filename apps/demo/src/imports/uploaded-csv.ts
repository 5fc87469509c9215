import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import {
  BadRequestException,
  Injectable,
  ParseFilePipe,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import { finalize, type Observable } from 'rxjs';

const MAX_BYTES = 1024 ** 3;

/** Takes the form field `file` into a temporary file, whatever its size: memory holds no more than a chunk. */
export const ReceiveCsv = FileInterceptor('file', {
  dest: tmpdir(),
  limits: { fileSize: MAX_BYTES, files: 1 },
  // Names of files are sent as UTF-8 by browsers and curl.
  defParamCharset: 'utf8',
});

/** Deletes the temporary file when the handler has ended; also when a pipe has refused the request. */
@Injectable()
export class DiscardCsv implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { file } = context.switchToHttp().getRequest<{ file?: Express.Multer.File }>();
    return next.handle().pipe(
      finalize(() => {
        if (file) rm(file.path, { force: true }).catch(() => undefined);
      }),
    );
  }
}

/** Refuses a request without the file. */
export const CsvPipe = new ParseFilePipe({
  exceptionFactory: () =>
    new BadRequestException('Send a CSV file as the form field "file": curl -F file=@contacts.csv …'),
});
