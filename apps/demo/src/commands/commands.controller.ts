import { Controller, Get, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CurrentActivity, TrackedActivity, type ActivityContext } from 'nestjs-activity';
import { DemoGuard } from '../demo.guard.js';
import { DEMO_SETTINGS, type DemoSettings } from '../demo.settings.js';
import { CommandPipe } from './command.pipe.js';
import { COMMANDS } from './commands.js';
import { runCommand } from './run-command.js';

@ApiTags('commands')
@Controller('commands')
@UseGuards(DemoGuard)
export class CommandsController {
  constructor(@Inject(DEMO_SETTINGS) private readonly settings: DemoSettings) {}

  @Get()
  @ApiOperation({ summary: 'What can be run' })
  list(): { name: string; line: string }[] {
    return Object.entries(COMMANDS).map(([name, { line }]) => ({ name, line }));
  }

  @Post(':name')
  @HttpCode(200)
  @ApiOperation({ summary: 'Run a command; its output is the log of the activity' })
  @ApiParam({ name: 'name', enum: Object.keys(COMMANDS) })
  @ApiResponse({ status: 404, description: 'There is no such command; the answer lists them.' })
  @ApiResponse({ status: 500, description: 'It failed; the answer has its exit code and its last words.' })
  @TrackedActivity({
    type: 'command.run',
    title: ({ args: [name] }) => COMMANDS[String(name)]?.line,
    resource: ({ args: [name] }) => ({ type: 'command', id: String(name) }),
    timeout: '5m',
  })
  async run(
    @Param('name', CommandPipe) name: string,
    @CurrentActivity() activity: ActivityContext,
  ): Promise<{ id: string; command: string; exitCode: 0 }> {
    const command = COMMANDS[name]!;
    await runCommand(command, { cwd: this.settings.root, activity });
    return { id: activity.id, command: command.line, exitCode: 0 };
  }
}
