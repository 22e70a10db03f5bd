import type { Guest, Progress, Strangers } from "../server/index.ts";
import type { Clock } from "../util/clock.ts";
import type { GuestProgress, ToOwner } from "./messages.ts";

/** The door is the owner's: here it is told of those inside, and drops them when the owner says so. */
export interface RemoteStrangers extends Strangers {
  drop(id: string, reason: string): void;
  /** Whether any of those that were let in is here under this id. */
  has(id: string): boolean;
}

/** How far strangers have come is looked at so often. The first step, from silence, is told at once: there may be a flood of silent ones. */
const LOOK_MS = 250;

interface Entry {
  readonly guest: Guest;
  told: Progress;
  entered: boolean;
}

export function createRemoteStrangers(send: (message: ToOwner) => void, clock: Clock): RemoteStrangers {
  const entries = new Map<string, Entry>();
  let looking = false;

  const news = (entry: Entry): GuestProgress[] => {
    const { id, progress, since } = entry.guest;
    if (entry.entered || progress === entry.told) return [];
    entry.told = progress;
    return [{ id, progress, since }];
  };

  const tell = (among: Iterable<Entry>): void => {
    const guests = [...among].flatMap(news);
    if (guests.length > 0) send({ type: "progress", guests });
  };

  const look = async (): Promise<void> => {
    looking = true;
    while ([...entries.values()].some(({ entered }) => !entered)) {
      await clock.sleep(LOOK_MS);
      tell(entries.values());
    }
    looking = false;
  };

  return {
    objection: () => undefined,
    arrived(guest) {
      // A guest that has spoken comes again, as another.
      const entry: Entry = { guest, told: entries.get(guest.id)?.told ?? guest.progress, entered: false };
      entries.set(guest.id, entry);
      queueMicrotask(() => tell([entry]));
      if (!looking) void look();
    },
    entered(guest) {
      const entry = entries.get(guest.id);
      if (entry?.guest !== guest || entry.entered) return;
      entry.entered = true;
      send({ type: "entered", id: guest.id });
    },
    left(guest, offence) {
      // Unless it has only spoken, and is here again when this has been done.
      queueMicrotask(() => {
        if (entries.get(guest.id)?.guest !== guest) return;
        entries.delete(guest.id);
        send({ type: "left", id: guest.id, offence });
      });
    },
    tooMany: (source) => send({ type: "tooMany", source }),
    report: () => undefined,
    drop: (id, reason) => entries.get(id)?.guest.drop(reason),
    has: (id) => entries.has(id),
  };
}
