import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, IsNotEmpty, IsOptional, IsString, Max, Min } from 'class-validator';

export class ChecksumRequest {
  @ApiProperty({ example: 'node_modules', description: 'A folder in the one that the demo was started in.' })
  @IsString()
  @IsNotEmpty()
  folder!: string;

  @ApiPropertyOptional({ type: Number, example: 500, description: 'At most so many, to be gentle. Default: no limit.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  filesPerSecond?: number;
}
