import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesOf, endpointsOf } from '../../../src/config/endpoints.ts';

/** Endpoints as URLs, with http and port 2379 where the text does not say. */
function urlsOf(text: string, secure = false, port = 2379): string[] | string {
  const checked = addressesOf(text);
  if ('want' in checked) return `want ${checked.want}${checked.hide === true ? ' (hidden)' : ''}`;
  return endpointsOf(checked.value, secure, port).map(
    (endpoint) => `${endpoint.secure ? 'https' : 'http'} ${endpoint.host} ${endpoint.port}`,
  );
}

const UNDERSTOOD: readonly (readonly [string, readonly string[]])[] = [
  ['a', ['http a 2379']],
  ['a.example.com:4001', ['http a.example.com 4001']],
  ['a,b , c\td:1', ['http a 2379', 'http b 2379', 'http c 2379', 'http d 1']],
  [',,a,', ['http a 2379']],
  ['10.0.0.1', ['http 10.0.0.1 2379']],
  ['10.0.0.1:65535', ['http 10.0.0.1 65535']],
  ['::1', ['http ::1 2379']],
  ['::1:2379', ['http ::1:2379 2379']],
  ['[::1]', ['http ::1 2379']],
  ['[fd00::1]:4001', ['http fd00::1 4001']],
  ['fe80::1%eth0', ['http fe80::1%eth0 2379']],
  ['https://a', ['https a 2379']],
  ['HTTPS://A:1/', ['https A 1']],
  ['http://[::1]:2379/ https://b', ['http ::1 2379', 'https b 2379']],
  ['a a:2379 A', ['http a 2379']],
  ['http://a https://a', ['http a 2379', 'https a 2379']],
  ['under_score', ['http under_score 2379']],
  ['a.', ['http a. 2379']],
  ['[fe80::1%25eth0]:2379', ['http fe80::1%eth0 2379']],
  ['https://[fe80::1%25br-lan.7]:2379/', ['https fe80::1%br-lan.7 2379']],
  ['fe80::1%4', ['http fe80::1%4 2379']],
  ['[fe80::1%25]:1', ['http fe80::1%25 1']],
  ['fd00::1%eth0', ['http fd00::1%eth0 2379']],
  ['bücher.example', ['http xn--bcher-kva.example 2379']],
  ['https://ETCD.MÜNCHEN.example:1', ['https etcd.xn--mnchen-3ya.example 1']],
  ['bücher。example.', ['http xn--bcher-kva.example. 2379']],
  ['例え.テスト', ['http xn--r8jz45g.xn--zckzah 2379']],
];

for (const [text, urls] of UNDERSTOOD) {
  test(`hosts "${text}" are understood`, () => {
    assert.deepEqual(urlsOf(text), urls);
  });
}

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['', /^want at least one host/],
  [' , ', /^want at least one host/],
  ['a:0', /^want a port from 1 to 65535/],
  ['a:65536', /^want a port from 1 to 65535/],
  ['a:', /^want a port from 1 to 65535/],
  ['a:http', /^want a port from 1 to 65535/],
  ['a:1:2', /^want host, host:port/],
  ['a b/c', /^want a host and port without a path, because etcd v3 has none; "b\/c" is wrong$/],
  ['https://a/v3', /^want a host and port without a path/],
  ['https://a?b', /^want a host and port without a path/],
  ['a:2379/', /^want a host and port without a path/],
  ['a;b', /^want commas or spaces between hosts, not ";"$/],
  ['https://', /^want host, host:port/],
  ['ftp://a', /^want http:\/\/ or https:\/\//],
  ['unix:///run/etcd', /^want http:\/\/ or https:\/\//],
  ['[::1', /^want host, host:port/],
  ['[10.0.0.1]', /^want host, host:port/],
  ['[::g]:1', /^want host, host:port/],
  ['10.0.0.256', /^want host, host:port/],
  ['10.0.0', /^want host, host:port/],
  ['-a', /^want host, host:port/],
  ['a..b', /^want host, host:port/],
  ['bücher/x', /^want a host and port without a path/],
  ['bü\u200bcher', /^want host, host:port.*; it has U\+200B ZERO WIDTH SPACE$/],
  ['etcd1\u00ad', /^want host, host:port.*; it has U\+00AD SOFT HYPHEN$/],
  ['é%41', /^want host, host:port/],
  ['–a', /^want host, host:port/],
  ['fe80::1', /^want the interface of a link-local address: \[fe80::1%eth0\]:2379$/],
  ['[febf::1]:2379', /^want the interface of a link-local address: \[febf::1%eth0\]:2379$/],
  ['fe80::1%eth0:2379', /^want an IPv6 address with a port in brackets: \[fe80::1%eth0\]:2379$/],
  ['[fe80::1%]', /^want after the % an interface name/],
  ['fe80::1%br_lan', /^want after the % an interface name/],
  ['[fe80::1%25eth0/64]', /^want a host and port without a path/],
  ["(('10.0.0.1', 2379),)", /^want host, host:port/],
  ['a'.repeat(64), /^want host, host:port/],
  [Array.from({ length: 33 }, (_, index) => `h${index}`).join(), /^want at most 32 hosts/],
  ['root:secret@a', /\(hidden\)$/],
  ['https://root:secret@a', /\(hidden\)$/],
  ['a:x https://root:secret@a', /\(hidden\)$/],
];

for (const [text, problem] of REFUSED) {
  test(`hosts "${text.slice(0, 40)}" are refused`, () => {
    assert.match(String(urlsOf(text)), problem);
  });
}

test('port and protocol fill in only what a host leaves out', () => {
  assert.deepEqual(urlsOf('a http://b c:1', true, 4001), ['https a 4001', 'http b 4001', 'https c 1']);
});
