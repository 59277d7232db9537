/**
 * Programs of other languages that tests use as clients: found, or brought into the git-ignored cache. Node and npm are
 * all that the tests require, so each of these may be missing, and then says why.
 */
import { createHash, randomUUID } from 'node:crypto';
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/embedded/command.ts';
import { isAlive } from '../../src/embedded/process.ts';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where a program is, or why there is none. */
export type Tool = { readonly path: string } | { readonly path: undefined; readonly reason: string };

const cacheDir = join(ROOT, '.cache');
const grpcurlVersion = '1.9.4';
const requirementsPath = join(ROOT, 'test/clients/python/requirements.txt');
const installTimeoutMs = 300_000;
const checkTimeoutMs = 30_000;

/**
 * A grpcurl that runs: from PATH, else from the cache, else built into the cache with the Go that is on PATH (about 2
 * minutes once, 5 at most). Any number of processes may do this at once.
 */
export async function findGrpcurl(): Promise<Tool> {
  const cached = join(cacheDir, `grpcurl-${grpcurlVersion}`);
  const runs = async (path: string): Promise<void> => {
    await runCommand(path, ['-version'], { timeoutMs: checkTimeoutMs });
  };
  for (const path of [findOnPath('grpcurl'), cached]) {
    if (path !== undefined && existsSync(path) && (await succeeds(runs(path)))) return { path };
  }
  const go = findOnPath('go');
  if (go === undefined) return missing('there is neither grpcurl nor go on PATH');
  return install(cached, async (workDir) => {
    announce(`building grpcurl ${grpcurlVersion}, up to 5 minutes, once`);
    const module = `github.com/fullstorydev/grpcurl/cmd/grpcurl@v${grpcurlVersion}`;
    // A target set for other builds must not matter.
    const env = { ...process.env, GOBIN: workDir, CGO_ENABLED: '0', GOOS: '', GOARCH: '' };
    await runCommand(go, ['install', '-trimpath', module], {
      cwd: workDir,
      env,
      timeoutMs: installTimeoutMs,
    });
    await runs(join(workDir, 'grpcurl'));
    return join(workDir, 'grpcurl');
  });
}

/**
 * A Python with the packages of test/clients/python/requirements.txt: a virtual environment in the cache, made with the
 * python3 on PATH (about 30 s once, 5 minutes at most) and named by a hash of the requirements. Any number of processes
 * may do this at once.
 */
export async function findPythonClient(): Promise<Tool> {
  const hash = createHash('sha256').update(readFileSync(requirementsPath)).digest('hex').slice(0, 12);
  const cached = join(cacheDir, `python-client-${hash}`);
  const pythonOf = (directory: string): string => join(directory, 'bin', 'python');
  const runs = async (directory: string): Promise<void> => {
    const imports = 'import grpc, grpc_status.rpc_status, grpc_tools.protoc, grpc_health.v1.health_pb2, nats';
    await runCommand(pythonOf(directory), ['-c', imports], { env: pythonEnv(), timeoutMs: checkTimeoutMs });
  };
  if (existsSync(cached)) {
    if (await succeeds(runs(cached))) return { path: pythonOf(cached) };
    // Made with a Python that is gone. Moved first, so that nobody sees half of it.
    const broken = join(cacheDir, workDirName());
    if (await succeeds(Promise.resolve().then(() => renameSync(cached, broken)))) {
      rmSync(broken, { recursive: true, force: true });
    }
  }
  const python = findOnPath('python3');
  if (python === undefined) return missing('there is no python3 on PATH');
  const installed = await install(cached, async (workDir) => {
    announce('installing the packages of the Python client, up to 5 minutes, once');
    const venv = join(workDir, 'venv');
    const options = { cwd: workDir, env: pythonEnv(), timeoutMs: installTimeoutMs };
    await runCommand(python, ['-m', 'venv', venv], options);
    // No source packages: they would run code and need compilers.
    const pip =
      '-m pip install --quiet --disable-pip-version-check --no-input --retries 1 --only-binary :all: -r';
    await runCommand(pythonOf(venv), [...pip.split(' '), requirementsPath], options);
    await runs(venv);
    return venv;
  });
  return installed.path === undefined ? installed : { path: pythonOf(installed.path) };
}

/** The pgbouncer of the machine; Debian installs it where only root looks. */
export function findPgbouncer(): Tool {
  const path = findOnPath('pgbouncer') ?? ['/usr/sbin/pgbouncer'].find((candidate) => existsSync(candidate));
  return path === undefined ? missing('there is no pgbouncer on PATH or in /usr/sbin') : { path };
}

/**
 * For the name of a suite: nothing, or that and why it is skipped. Says so on standard error too, not with `console`:
 * jest shows no output of a suite whose every test is skipped.
 */
export function skipNote(what: string, tool: Tool): string {
  if (tool.path !== undefined) return '';
  announce(`SKIPPED: nothing is tested with ${what}: ${tool.reason}`);
  return ` (SKIPPED: ${tool.reason})`;
}

/** What a tool wrote, and its exit status: -1 when a signal ended it. */
export interface ToolResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A tool at work. */
export interface RunningTool {
  readonly stdout: string;
  /** Resolves at its end, whatever the status; the tool is killed after its time. */
  readonly ended: Promise<ToolResult>;
  /** Ends it with SIGTERM. */
  stop(): void;
}

/** Starts a tool with `input` on its standard input. */
export function startTool(
  path: string,
  args: readonly string[],
  { input = '', timeoutMs = 30_000, cwd = ROOT }: { input?: string; timeoutMs?: number; cwd?: string } = {},
): RunningTool {
  const child = spawn(path, args, { cwd, env: clientEnv(), timeout: timeoutMs, killSignal: 'SIGKILL' });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk));
  // A tool that ends without reading its input is judged by its status.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = new Promise<ToolResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status: status ?? -1, ...output }));
  });
  return {
    get stdout() {
      return output.stdout;
    },
    ended,
    stop: () => child.kill('SIGTERM'),
  };
}

/** Moves what `make` returns, a path below a directory of its own, to `target`: others see nothing or all of it. */
async function install(target: string, make: (workDir: string) => Promise<string>): Promise<Tool> {
  const workDir = join(cacheDir, workDirName());
  try {
    mkdirSync(workDir, { recursive: true });
    removeLeftovers();
    const made = await make(workDir);
    try {
      renameSync(made, target);
    } catch (error) {
      // Another process was first, and a directory is not replaced: theirs is as good.
      if (!existsSync(target)) throw error;
    }
    return { path: target };
  } catch (error) {
    return missing(error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}

function missing(reason: string): Tool {
  return { path: undefined, reason: reason.replaceAll(/\s+/g, ' ') };
}

function workDirName(): string {
  return `.installing-tool-${process.pid}-${randomUUID()}`;
}

/** What runs that were killed have left. */
function removeLeftovers(): void {
  for (const name of readdirSync(cacheDir)) {
    const pid = Number(/^\.installing-tool-(\d+)-/.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) rmSync(join(cacheDir, name), { recursive: true, force: true });
  }
}

/** The absolute path of a program on PATH. */
export function findOnPath(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((directory) => isAbsolute(directory))
    .map((directory) => join(directory, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Without what would lead Python out of its environment, or write beside the sources. */
function pythonEnv(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, PYTHONNOUSERSITE: '1', PYTHONDONTWRITEBYTECODE: '1' };
  delete env['PYTHONPATH'];
  delete env['PYTHONHOME'];
  return env;
}

/** Clients reach servers of this machine only, past any proxy. */
function clientEnv(): NodeJS.ProcessEnv {
  return { ...pythonEnv(), no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1' };
}

async function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

function announce(text: string): void {
  process.stderr.write(`test set-up: ${text}\n`);
}
