import type { MandateView } from '../legal-persons/mandate-views.ts';
import { maskName } from '../people/masking.ts';
import { machineTime } from '../web/language.ts';
import type { Shown } from './legal-words.ts';

/** A mandate as a terminal may show it: names of people masked. */
export function shownMandate(view: MandateView): Shown {
  const { principal, agentPersonId, agentLegalPersonId, acrMax, parentId, suspendedBy, cause } = view;
  const isPerson = agentLegalPersonId === undefined;
  return {
    id: view.id,
    kind: view.kind,
    status: view.status,
    ...('legalPersonId' in principal ? { legalPerson: principal.legalPersonId } : { represented: principal.personId }),
    principalName: 'legalPersonId' in principal ? view.principalName : maskName(view.principalName),
    ...(agentPersonId === undefined ? {} : { agent: agentPersonId }),
    ...(isPerson ? {} : { agentLegalPerson: agentLegalPersonId }),
    agentName: isPerson ? maskName(view.agentName) : view.agentName,
    ...(view.inviteeNumberMasked === undefined ? {} : { inviteeNumberMasked: view.inviteeNumberMasked }),
    matters: view.matters,
    portals: view.portals,
    validFrom: machineTime(view.validFrom),
    validUntil: machineTime(view.validUntil),
    ...(acrMax === undefined ? {} : { acrMax }),
    mayDelegate: view.mayDelegate,
    ...(parentId === undefined ? {} : { parent: parentId }),
    ...(suspendedBy === undefined ? {} : { suspendedBy }),
    ...(cause === undefined ? {} : { cause }),
    grantedBy: view.grantedBy,
  };
}
