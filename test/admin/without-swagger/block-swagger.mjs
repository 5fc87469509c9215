import { register } from 'node:module';

/** For `node --import`: the process finds everything but `@nestjs/swagger`, as if it had never been installed. */
register(
  `data:text/javascript,${encodeURIComponent(`
    export function resolve(specifier, context, next) {
      if (!/^@nestjs\\/swagger(\\/|$)/.test(specifier)) return next(specifier, context);
      const error = new Error("Cannot find package '@nestjs/swagger' imported from " + context.parentURL);
      throw Object.assign(error, { code: 'ERR_MODULE_NOT_FOUND' });
    }
  `)}`,
);
