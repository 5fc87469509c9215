import { Body, Controller, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import {
  ActivityService,
  actorOfRequest,
  CurrentActivity,
  TrackedActivity,
  type ActivityContext,
} from 'nestjs-activity';
import { DemoGuard } from '../demo.guard.js';
import { ChecksumRequest } from './checksum-request.js';
import { FolderChecksum, type Checksum } from './folder-checksum.js';
import { FolderPipe } from './folder.pipe.js';

/** Two at a time: a third waits as `queued`. */
const DISK = { key: 'disk', max: 2 };

@ApiTags('checksums')
@Controller('checksums')
@UseGuards(DemoGuard)
export class ChecksumsController {
  constructor(
    private readonly checksum: FolderChecksum,
    private readonly activities: ActivityService,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Hash every file below a folder; answers when it is done' })
  @ApiBody({ type: ChecksumRequest })
  @ApiHeader({
    name: 'prefer',
    required: false,
    description: '`respond-async`: answer at once. `wait=10`: in ten seconds.',
  })
  @ApiProduces('application/json', 'application/x-ndjson')
  @ApiResponse({ status: 202, description: '`Prefer` asked for it: the place to look is in `Location`.' })
  @ApiResponse({ status: 409, description: 'Somebody cancelled it.' })
  @TrackedActivity({
    type: 'folder.checksum',
    resource: ({ args: [{ folder }] }) => ({ type: 'folder', id: folder }),
    limit: DISK,
    keepResult: true,
    respond: { allow: ['accepted', 'stream'] },
  })
  hash(@Body(FolderPipe) request: ChecksumRequest, @CurrentActivity() activity: ActivityContext): Promise<Checksum> {
    return this.checksum.of(request, activity);
  }

  /** The same without a decorator: the answer goes out as soon as the start is recorded. */
  @Post('background')
  @HttpCode(202)
  @ApiOperation({ summary: 'Hash every file below a folder; answers at once with the place to look' })
  @ApiBody({ type: ChecksumRequest })
  async hashInBackground(
    @Body(FolderPipe) request: ChecksumRequest,
    @Req() caller: object,
    @Res({ passthrough: true }) response: Response,
  ): Promise<{ id: string; href: string }> {
    const { id } = await this.activities.runInBackground(
      {
        type: 'folder.checksum',
        resource: { type: 'folder', id: request.folder },
        actor: actorOfRequest(caller),
        limit: DISK,
        keepResult: true,
      },
      (activity) => this.checksum.of(request, activity),
    );
    const href = `/admin/activities/${id}`;
    response.location(href);
    return { id, href };
  }
}
