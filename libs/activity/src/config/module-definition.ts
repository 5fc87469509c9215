import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { ActivityModuleOptions } from './activity-module.options.js';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<ActivityModuleOptions>({ moduleName: 'Activity' })
    .setClassMethodName('forRoot')
    .build();

/** The options with their defaults: what everything inside injects. */
export const ACTIVITY_SETTINGS = Symbol('ActivityModule settings');
