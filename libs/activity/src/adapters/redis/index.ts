export { redisBus, type RedisBusOptions } from './redis-bus.js';
