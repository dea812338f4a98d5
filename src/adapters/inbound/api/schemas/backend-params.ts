import { z } from 'zod';

export const backendParams = z.object({ id: z.string().min(1).describe("The backend's id.") });
