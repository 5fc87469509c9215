import type { CanActivate, ExecutionContext } from '@nestjs/common';

/** A guard as apps have one: it knows users by what a caller sends with the call, and turns `mallory` away. */
export class KnownUsers implements CanActivate {
  constructor(
    /** What the call says of its user. */
    private readonly nameOf: (context: ExecutionContext) => string | undefined,
    /** Where the guard leaves the user that it has found. */
    private readonly holderOf: (context: ExecutionContext) => object,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const name = this.nameOf(context);
    if (name === 'mallory') return false;
    if (name !== undefined) Object.assign(this.holderOf(context), { user: { id: name } });
    return true;
  }
}

/** For HTTP: the header `x-user`. */
export const usersOfRequests = new KnownUsers(
  (context) => context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers['x-user'],
  (context) => context.switchToHttp().getRequest<object>(),
);
