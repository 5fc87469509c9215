import { Controller, HttpCode, Post, UploadedFile, UseGuards, UseInterceptors } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CurrentActivity, TrackedActivity, type ActivityContext } from 'nestjs-activity';
import { DemoGuard } from '../demo.guard.js';
import { ContactImport, type ImportCounts } from './contact-import.js';
import { CsvPipe, DiscardCsv, ReceiveCsv } from './uploaded-csv.js';

@ApiTags('imports')
@Controller('imports')
@UseGuards(DemoGuard)
export class ImportsController {
  constructor(private readonly contacts: ContactImport) {}

  @Post()
  @HttpCode(200)
  @UseInterceptors(ReceiveCsv, DiscardCsv)
  @ApiOperation({ summary: 'Import a CSV of contacts; rows that are wrong become warnings' })
  @ApiConsumes('multipart/form-data')
  @ApiBody({ schema: { type: 'object', properties: { file: { type: 'string', format: 'binary' } } } })
  @ApiResponse({ status: 400, description: 'There is no file, or its first line does not name the columns.' })
  @TrackedActivity({
    type: 'contacts.import',
    resource: ({ args: [file] }) => ({ type: 'file', id: (file as Express.Multer.File).originalname }),
    keepResult: true,
  })
  import(
    @UploadedFile(CsvPipe) file: Express.Multer.File,
    @CurrentActivity() activity: ActivityContext,
  ): Promise<ImportCounts> {
    return this.contacts.from(file, activity);
  }
}
