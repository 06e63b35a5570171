import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import {
  etcd,
  etcdWithTls,
  listen,
  LOGIN,
  withDeadDns,
  withDns,
  withoutDns,
  withSilentDns,
  type Cause,
} from './cause-tools.ts';
import { answersOfVersion, GrpcStandIn } from './grpc-stand-in.ts';
import { freePort } from './ports.ts';

/** What can be wrong on the way to etcd. */
export const NETWORK_CAUSES: readonly Cause[] = [
  {
    group: 'The way to etcd',
    what: 'nobody listens on the port',
    said: /connection refused; check that etcd runs there/,
    provoke: async () => ({ hosts: `127.0.0.1:${await freePort()}` }),
  },
  {
    group: 'The way to etcd',
    what: 'no route to the host',
    said: /host unreachable; check the network/,
    endpoint: '224.0.0.1:2379',
    // Multicast is no destination for TCP, on any machine.
    provoke: () => Promise.resolve({ hosts: '224.0.0.1' }),
  },
  {
    group: 'The way to etcd',
    what: 'the member is frozen, or a firewall drops packets',
    said: /no answer within \d\.\d s; check /,
    provoke: async (tools) => {
      const cluster = await etcd(tools);
      cluster.member(0).freeze();
      return { hosts: cluster.hosts };
    },
  },
  {
    group: 'The way to etcd',
    what: 'the name does not exist',
    said: /host name not found; correct hosts or DNS$/,
    endpoint: 'no-such-host.invalid:2379',
    wrap: withoutDns,
    provoke: () => Promise.resolve({ hosts: 'no-such-host.invalid' }),
  },
  {
    group: 'The way to etcd',
    what: 'the name server does not answer',
    said: /no answer from DNS about this host; check the name servers in \/etc\/resolv\.conf, or put the host into \/etc\/hosts$/,
    endpoint: 'etcd.example.com:2379',
    wrap: withDeadDns,
    provoke: () => Promise.resolve({ hosts: 'etcd.example.com' }),
  },
  {
    group: 'The way to etcd',
    what: 'the name server is silent',
    said: /no answer from DNS about this host; check the name servers in \/etc\/resolv\.conf, or put the host into \/etc\/hosts$/,
    endpoint: 'etcd.example.com:2379',
    wrap: withSilentDns,
    provoke: () => Promise.resolve({ hosts: 'etcd.example.com' }),
  },
  {
    group: 'The way to etcd',
    what: 'a link-local address without its interface',
    begins: 'Cannot read config',
    said: /: line \d: hosts is "fe80::1", want the interface of a link-local address: \[fe80::1%eth0\]:2379$/,
    provoke: () => Promise.resolve({ hosts: 'fe80::1' }),
  },
  {
    group: 'The way to etcd',
    what: 'a link-local address with a port and no brackets',
    begins: 'Cannot read config',
    said: /: line \d: hosts is "fe80::1%eth0:2379", want an IPv6 address with a port in brackets: \[fe80::1%eth0\]:2379$/,
    provoke: () => Promise.resolve({ hosts: 'fe80::1%eth0:2379' }),
  },
  {
    group: 'The way to etcd',
    what: 'a link-local address on an interface that is not there',
    said: /this host has no network interface "nic9"; correct the interface in hosts$/,
    endpoint: '[fe80::1%nic9]:2379',
    provoke: () => Promise.resolve({ hosts: '[fe80::1%25nic9]:2379' }),
  },
  {
    group: 'The way to etcd',
    what: 'an international name with a part that is too long for DNS',
    begins: 'Cannot read config',
    said: /: line \d: hosts is "ü+\.example", want .*; DNS allows 63 characters between two dots, and "\S+" has \d+$/,
    provoke: () => Promise.resolve({ hosts: `${'ü'.repeat(60)}.example` }),
  },
  {
    group: 'The way to etcd',
    what: 'srv_domain has records for plain text only, and TLS is set',
    said: /: srv_domain "plain\.example\.com" has SRV records for plain text only \(_etcd-client\._tcp\), and protocol = https asks for TLS; publish /,
    begins: 'Cannot find etcd: ',
    wrap: withDns,
    provoke: async (tools) => {
      const { cluster, settings } = await etcdWithTls(tools);
      tools.dns.zones.set('_etcd-client._tcp.plain.example.com', {
        srv: [{ host: 'localhost', port: cluster.member(0).clientPort }],
      });
      return { ...settings, ...LOGIN, hosts: undefined, srv_domain: 'plain.example.com' };
    },
  },
  {
    group: 'The way to etcd',
    what: 'srv_domain has no records',
    said: /: srv_domain "example\.com" has no SRV records \(.*\); correct it, or set hosts instead$/,
    begins: 'Cannot find etcd: ',
    wrap: withDns,
    provoke: () => Promise.resolve({ srv_domain: 'example.com' }),
  },
  {
    group: 'The way to etcd',
    what: 'srv_domain is set, and the name server does not answer',
    said: /: no answer from DNS about the SRV records of .* \(E[A-Z]+\); check DNS, or set hosts instead of srv_domain$/,
    begins: 'Cannot find etcd: ',
    wrap: withDeadDns,
    provoke: () => Promise.resolve({ srv_domain: 'example.com' }),
  },
  {
    group: 'The way to etcd',
    what: 'a web server has the port',
    said: /not etcd: does not speak HTTP\/2; /,
    provoke: (tools) =>
      listen(
        tools,
        createHttpServer((_, response) => response.end('welcome')),
      ),
  },
  {
    group: 'The way to etcd',
    what: 'a mail server has the port',
    said: /not etcd: does not speak HTTP\/2; /,
    provoke: (tools) =>
      listen(
        tools,
        createServer((socket) => socket.end('220 mail\r\n')),
      ),
  },
  {
    group: 'The way to etcd',
    what: 'something that hangs up has the port',
    said: /the member closed the connection before HTTP\/2 began; if it speaks TLS, set protocol = https$/,
    provoke: (tools) =>
      listen(
        tools,
        createServer((socket) => socket.once('data', () => socket.end())),
      ),
  },
  {
    group: 'The way to etcd',
    what: 'another gRPC service has the port',
    said: /not etcd, or too old: unknown service; check that hosts and port lead to etcd 3\.3 or newer$/,
    provoke: async ({ stack }) => {
      const other = stack.use(await GrpcStandIn.start(() => ({ status: 12, text: 'unknown service' })));
      return { hosts: other.endpoint };
    },
  },
  {
    group: 'The way to etcd',
    what: 'etcd 3.2',
    said: /the member runs etcd 3\.2\.32, which is too old; use etcd 3\.3 or newer$/,
    checkSays: /etcd 3\.2\.32 is too old for the lock; use etcd 3\.3 or newer$/,
    provoke: async ({ stack }) => {
      const old = stack.use(await GrpcStandIn.start(answersOfVersion('3.2.32')));
      return { hosts: old.endpoint };
    },
  },
];
