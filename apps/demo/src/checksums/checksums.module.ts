import { Module } from '@nestjs/common';
import { ChecksumsController } from './checksums.controller.js';
import { FolderChecksum } from './folder-checksum.js';

@Module({ controllers: [ChecksumsController], providers: [FolderChecksum] })
export class ChecksumsModule {}
