import { z } from 'zod';
import { API_ERRORS } from '../api-error.js';

export const errorSchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(API_ERRORS)),
    message: z.string().describe('For people.'),
    field: z.string().optional().describe('What is wrong, as it was sent.'),
    reason: z.string().optional().describe('Why.'),
    problems: z.array(z.string()).optional().describe('All that is wrong with a configuration that is refused.'),
  }),
});
