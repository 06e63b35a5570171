import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { taskRoom, type ReadText } from '../../../src/process/task-room.ts';
import { poolSizeFor } from '../../../src/process/thread-pool.ts';

/** A machine with these files. */
function machineWith(files: Readonly<Record<string, string>>): ReadText {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  };
}

const V2 = '30 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const V1 =
  '39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n' +
  '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n';

void describe('the room for threads and processes', () => {
  const cases: [what: string, files: Readonly<Record<string, string>>, room: number][] = [
    ['without /proc', {}, Infinity],
    ['without a cgroup', { '/proc/self/mountinfo': '', '/proc/self/cgroup': '' }, Infinity],
    [
      'of version 2: the smallest of all above',
      {
        '/proc/self/mountinfo': V2,
        '/proc/self/cgroup': '0::/system.slice/ctdb.service\n',
        '/sys/fs/cgroup/system.slice/ctdb.service/pids.max': 'max\n',
        '/sys/fs/cgroup/system.slice/ctdb.service/pids.current': '7\n',
        '/sys/fs/cgroup/system.slice/pids.max': '100\n',
        '/sys/fs/cgroup/system.slice/pids.current': '60\n',
      },
      40,
    ],
    [
      'in a container with a cgroup namespace',
      {
        '/proc/self/mountinfo': V2,
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/pids.max': '20\n',
        '/sys/fs/cgroup/pids.current': '5\n',
      },
      15,
    ],
    [
      'in a container that sees its part of version 1 under the name of the whole',
      {
        '/proc/self/mountinfo': V1.replace('/ /sys/fs/cgroup/pids', '/docker/1a2b /sys/fs/cgroup/pids'),
        '/proc/self/cgroup': '8:pids:/docker/1a2b\n0::/docker/1a2b\n',
        '/sys/fs/cgroup/pids/pids.max': '20\n',
        '/sys/fs/cgroup/pids/pids.current': '25\n',
      },
      -5,
    ],
    [
      'of version 1 beside other controllers',
      {
        '/proc/self/mountinfo': V1,
        '/proc/self/cgroup': '9:cpu,pids:/a\n0::/b\n',
        '/sys/fs/cgroup/pids/a/pids.max': '30\n',
        '/sys/fs/cgroup/pids/a/pids.current': '4\n',
      },
      26,
    ],
    [
      'outside of the part that is mounted',
      { '/proc/self/mountinfo': V2, '/proc/self/cgroup': '0::/../other\n' },
      Infinity,
    ],
  ];
  for (const [what, files, room] of cases) {
    test(what, () => {
      assert.equal(taskRoom(machineWith(files)), room);
    });
  }
});

void describe('the number of threads', () => {
  test('is enough for three look-ups of each name in the half that libuv uses for look-ups', () => {
    for (let names = 1; names <= 5; names += 1)
      assert.ok(Math.floor((poolSizeFor(names, Infinity) + 1) / 2) >= 3 * names, String(names));
  });
  test('grows with the names, up to 30', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 5, 32, Infinity].map((names) => poolSizeFor(names, Infinity)),
      [8, 8, 11, 17, 29, 30, 30],
    );
  });
  test('leaves room for other tasks, and is never below 1', () => {
    assert.deepEqual(
      [100, 20, 12, 9, 3, -5].map((room) => poolSizeFor(3, room)),
      [17, 12, 4, 1, 1, 1],
    );
  });
});
