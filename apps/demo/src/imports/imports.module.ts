import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ContactImport } from './contact-import.js';
import { Contact } from './contact.entity.js';
import { ImportsController } from './imports.controller.js';

@Module({
  imports: [TypeOrmModule.forFeature([Contact])],
  controllers: [ImportsController],
  providers: [ContactImport],
})
export class ImportsModule {}
