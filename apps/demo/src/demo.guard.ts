import { Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';

/** The header by which a caller of the demo says who they are. */
export const USER_HEADER = 'x-user';

interface DemoRequest {
  headers: Record<string, string | string[] | undefined>;
  user?: { id: string };
}

/**
 * Takes a caller's word for who they are, which is enough for a demo. In an app of yours stands the guard that it has
 * already: the tracker, too, reads no more than `request.user`.
 */
@Injectable()
export class DemoGuard implements CanActivate {
  /** @throws {UnauthorizedException} for a name that cannot be one. */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<DemoRequest>();
    const name = String(request.headers[USER_HEADER] ?? 'visitor');
    if (!/^[\w.@-]{1,64}$/.test(name)) {
      throw new UnauthorizedException(
        `The header ${USER_HEADER} must be a name of A-Z a-z 0-9 _ . @ -, such as "ada".`,
      );
    }
    request.user = { id: name };
    return true;
  }
}
