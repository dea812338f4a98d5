import type { Pin } from '../../../application/proxy-config.js';
import { formatCpuList, parseCpuList } from '../../../domain/cpu-list.js';
import type { ValueParser } from './value-parser.js';

/** Whether the CPUs are there is looked at when workers start. */
export const pin: ValueParser<Pin> = {
  expected: 'off, auto, or CPUs without repetition, for instance 0-3 or 2,4,6',
  parse(text) {
    const word = text.toLowerCase();
    if (word === 'off' || word === 'auto') return { isValid: true, value: word };
    const cpus = parseCpuList(text);
    return cpus === null ? { isValid: false } : { isValid: true, value: cpus };
  },
  format: (value) => (typeof value === 'string' ? value : formatCpuList(value)),
};
