import { z } from 'zod';
import { whole } from './fields.ts';

const HOUR_SECONDS = 3600;
const OFF = 1_000_000;

export const defence = z.strictObject({
  proofAfterAddress: whole(
    1,
    OFF,
    'Failed attempts from one address within limits.addressWindowSeconds after which strangers there must do some work, or read a picture, before a password is looked at.',
  ),
  proofAfterNetwork: whole(1, OFF, 'The same for one network (IPv4 /24, IPv6 /48).'),
  proofAfterMinute: whole(1, OFF, 'The same for strangers everywhere: failed attempts at this server within a minute.'),
  proofAfterWaiting: whole(1, 10_000, 'The same: passwords that wait for their hash.'),
  calmSeconds: whole(
    1,
    HOUR_SECONDS,
    'How long strangers everywhere go on having to after the last sign of an attack.',
  ),
  proofWork: whole(
    1000,
    10_000_000,
    'How many numbers a browser tries at most; a phone does about 200,000 a second. Ten times as many for an address that goes on failing.',
  ),
  badNetworksFile: z.string().trim().max(1024).meta({
    description:
      'A file of networks sign-ins are not expected from, one in CIDR notation a line; a sign-in from there asks for more. Empty for none.',
  }),
  elderFromYears: whole(50, 120, 'From this age on a new device asks for more than the password, as it does below 18.'),
  proofSeconds: whole(60, HOUR_SECONDS, 'How long such work, or a picture, is good for.'),
});
