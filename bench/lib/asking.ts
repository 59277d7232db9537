/** Contenders that ask one question after the other. */

import { contender } from './contender.ts';
import { Latencies } from './load/latencies.ts';
import type { Contender, Context } from './scenario.ts';
import type { Service } from './service.ts';

/** Asks as long as a round lasts, but at least once. A question that fails ends the run. */
export function askingContender(
  context: Context,
  name: string,
  service: Service,
  ask: () => Promise<unknown>,
): Contender {
  return contender(context, {
    name,
    parties: { server: service.serverPids(), relay: service.pid },
    run: async (seconds) => {
      const latencies = new Latencies();
      const startedAtMs = performance.now();
      const stopAtMs = startedAtMs + seconds * 1000;
      let asked = 0;
      for (let nowMs = startedAtMs; nowMs < stopAtMs; asked++) {
        await ask();
        latencies.add(performance.now() - nowMs);
        nowMs = performance.now();
      }
      return {
        ok: asked,
        failed: 0,
        rows: asked,
        seconds: (performance.now() - startedAtMs) / 1000,
        ...latencies.summary(),
      };
    },
  });
}
