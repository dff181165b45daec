/** The pages of messages, enrolment and recovery; what each page shows, as in pages.ts. */
export interface EnrolPageModels {
  /** Demo and test alone. Addresses and words in full. */
  readonly mailbox: {
    readonly messages: readonly {
      readonly channel: 'sms' | 'email' | 'voice';
      readonly address: string;
      readonly text: string;
      readonly at: number;
    }[];
  };
}

export const ENROL_PAGE_NAMES = ['mailbox'] as const satisfies readonly (keyof EnrolPageModels)[];
