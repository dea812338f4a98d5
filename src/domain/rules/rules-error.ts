import { EdgeproxyError } from '../edgeproxy-error.js';

export function rulesError(reason: string): EdgeproxyError {
  return new EdgeproxyError('EP_RULES', `The rules cannot be used: ${reason}.`, { source: 'config' });
}
