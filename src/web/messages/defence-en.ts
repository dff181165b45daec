import type { defenceZh } from './defence-zh-CN.ts';

/** What is asked under suspicion; Chinese in defence-zh-CN.ts. */
export const defenceEn: typeof defenceZh = {
  title: 'Show that you are not a program',
  working: 'Checking by itself; please go on typing …',
  done: 'The check is done.',
  failed: 'This browser cannot do the check. Please use the picture or the sound.',
  other: 'Use a picture or sound instead',
  picture: 'A picture of six digits, each from 1 to 6',
  hint: 'Enter the six digits of the picture (1 to 6). Or listen: each part begins with one low tone, and high tones follow. Count the high tones of each part and enter the six numbers in turn.',
  sound: 'Play the digits as tones',
  answer: 'Six digits',
  problem: 'Please complete the check below first. Your password was not judged wrong; please enter it again.',
};
