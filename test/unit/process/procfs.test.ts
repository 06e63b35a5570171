import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspectProcfs, type ProcfsAccess, procfsWarner } from '../../../src/process/procfs.ts';

const PROC = '22 28 0:21 / /proc rw,nosuid shared:5 - proc proc rw';
const LXCFS = '310 22 0:55 /proc/uptime /proc/uptime rw,nosuid - fuse.lxcfs lxcfs rw,user_id=0';

interface Scene {
  readonly self?: string;
  readonly status?: string;
  readonly mountinfo?: string;
  readonly type?: number;
}

/** What is read, and that nothing is asked of a file system that a program serves. */
function accessOf({
  self = '815',
  status = 'Name:\tx\nNSpid:\t815\n',
  mountinfo = PROC,
  type = 0x9fa0,
}: Scene): {
  access: ProcfsAccess;
  asked: string[];
} {
  const asked: string[] = [];
  return {
    asked,
    access: {
      readlink: () => self,
      read: (path) => (path.endsWith('mountinfo') ? mountinfo : status),
      fileSystemType: (path) => {
        asked.push(path);
        return type;
      },
    },
  };
}

const inspect = (scene: Scene): ReturnType<typeof inspectProcfs> =>
  inspectProcfs(815, accessOf(scene).access);

void describe('what of /proc may be believed', () => {
  void it('all of it where the kernel made it for this pid namespace', () => {
    assert.deepEqual(inspect({}), { foreignBecause: undefined, noUptimeBecause: undefined });
  });

  void it('of this machine, all of it', () => {
    assert.deepEqual(inspectProcfs(process.pid), { foreignBecause: undefined, noUptimeBecause: undefined });
  });

  void it('no process where it shows another pid', () => {
    assert.match(inspect({ self: '40711' }).foreignBecause ?? '', /self is 40711, .* pid 815/);
  });

  void it('no process where it belongs to a namespace above, by chance with the same pid', () => {
    const { foreignBecause } = inspect({ status: 'NSpid:\t815\t815\n' });
    assert.match(foreignBecause ?? '', /namespace above/);
  });

  void it('no process where it does not show this one', () => {
    const { access } = accessOf({});
    const missing = (): never => {
      throw new Error('ENOENT');
    };
    assert.match(inspectProcfs(815, { ...access, readlink: missing }).foreignBecause ?? '', /does not show/);
  });

  void it('no uptime where something is mounted on it, and that is not asked', () => {
    const { access, asked } = accessOf({ mountinfo: `${PROC}\n${LXCFS}\n` });
    assert.equal(inspectProcfs(815, access).noUptimeBecause, 'fuse.lxcfs is mounted on /proc/uptime');
    assert.deepEqual(asked, []);
  });

  void it('no uptime where it is on another file system, or not there', () => {
    assert.match(inspect({ type: 0x65735546 }).noUptimeBecause ?? '', /not on procfs/);
    const { access } = accessOf({});
    const missing = (): never => {
      throw new Error('ENOENT');
    };
    assert.match(
      inspectProcfs(815, { ...access, fileSystemType: missing }).noUptimeBecause ?? '',
      /cannot be read/,
    );
  });
});

void describe('the warnings about /proc', () => {
  void it('come once, however often the lock is tried', () => {
    const ids: string[] = [];
    const log = { warning: (id: string): void => void ids.push(id) };
    const warn = procfsWarner({ foreignBecause: 'x', noUptimeBecause: 'y' }, log);
    assert.deepEqual(ids, []);
    warn();
    warn();
    assert.deepEqual(ids, ['warn-proc', 'warn-uptime']);
  });

  for (const [scene, remedy] of [
    [
      { mountinfo: `${PROC}\n${LXCFS}\n` },
      /\(fuse.lxcfs is mounted .*; run umount \/proc\/uptime in this container$/,
    ],
    [{ type: 0x65735546 }, /not on procfs.*; mount procfs: mount -t proc proc \/proc$/],
    [undefined, /cannot be read.*; mount procfs: mount -t proc proc \/proc$/],
  ] as const) {
    void it(`name what mends the uptime: ${remedy.source}`, () => {
      const lines: string[] = [];
      const log = {
        warning: (id: string, text: string): void => {
          if (id === 'warn-uptime') lines.push(text);
        },
      };
      const none = (): never => {
        throw new Error('ENOENT: no such file or directory');
      };
      procfsWarner(
        scene === undefined
          ? inspectProcfs(815, { readlink: none, read: none, fileSystemType: none })
          : inspect(scene),
        log,
      )();
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? '', remedy);
    });
  }
});
