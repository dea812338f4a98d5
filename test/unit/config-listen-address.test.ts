import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatListenAddress, listenAddresses } from '../../src/adapters/inbound/config/listen-address.js';

function accepted(text: string): string[] {
  const parsed = listenAddresses.parse(text);
  assert.ok(parsed.isValid, text);
  return parsed.value.map(formatListenAddress);
}

function reasonFor(text: string): string {
  const parsed = listenAddresses.parse(text);
  assert.ok(!parsed.isValid, `${text} was accepted`);
  return parsed.reason ?? '';
}

describe('listen addresses', () => {
  it('takes IPv4, bracketed IPv6 and several of them', () => {
    assert.deepEqual(accepted('10.0.0.1:80,[2001:db8::1]:443,0.0.0.0:0'), [
      '10.0.0.1:80',
      '[2001:db8::1]:443',
      '0.0.0.0:0',
    ]);
  });

  it('reads localhost as 127.0.0.1 and * as every address of both families', () => {
    assert.deepEqual(accepted('localhost:1,*:2'), ['127.0.0.1:1', '[::]:2']);
  });

  it('writes an IPv6 address in its shortest form', () => {
    assert.deepEqual(accepted('[2001:0DB8:0:0::0001]:1'), ['[2001:db8::1]:1']);
  });

  it('refuses the same socket twice, however it is written', () => {
    assert.equal(reasonFor('127.0.0.1:80,localhost:80'), '127.0.0.1:80 appears twice');
    assert.equal(reasonFor('[::1]:80,[0:0::1]:80'), '[::1]:80 appears twice');
  });

  it('refuses an address that a wildcard before or after it covers', () => {
    assert.match(reasonFor('0.0.0.0:80,10.0.0.1:80'), /overlap/);
    assert.match(reasonFor('10.0.0.1:80,*:80'), /overlap/);
    assert.match(reasonFor('[::]:80,0.0.0.0:80'), /overlap/);
    assert.deepEqual(accepted('0.0.0.0:80,[::1]:80').length, 2);
  });

  it('names every wrong address', () => {
    assert.equal(
      reasonFor('127.0.0.1:1,nowhere,1.2.3.4:65536,[::1]:2,localhost:1'),
      '"nowhere" is not host:port; port 65536 is above 65535; 127.0.0.1:1 appears twice',
    );
  });

  it('lets the kernel choose as many ports as are asked for', () => {
    assert.equal(accepted('127.0.0.1:0,127.0.0.1:0').length, 2);
  });

  it('refuses names, zones and what is no address', () => {
    assert.match(reasonFor('example.org:80'), /"example.org" is not an IP address/);
    assert.match(reasonFor('[fe80::1%eth0]:80'), /zone/);
    assert.match(reasonFor('[10.0.0.1]:80'), /not an IP address/);
    assert.match(reasonFor('::1:80'), /is not host:port/);
    assert.match(reasonFor('1.2.3:80'), /not an IP address/);
    assert.match(reasonFor('01.2.3.4:80'), /not an IP address/);
    assert.match(reasonFor(':80'), /"" is not an IP address/);
    assert.match(reasonFor('constructor:80'), /not an IP address/);
  });

  it('refuses ports that are missing, padded or too large', () => {
    for (const text of [
      '1.2.3.4',
      '1.2.3.4:',
      '1.2.3.4:080',
      '1.2.3.4:+1',
      '1.2.3.4:1 ',
      ' 1.2.3.4:1',
      '1.2.3.4:1,',
      ',',
    ]) {
      assert.match(reasonFor(text), /is not host:port|not an IP address/, text);
    }
    assert.equal(reasonFor('1.2.3.4:65536'), 'port 65536 is above 65535');
    assert.match(reasonFor('1.2.3.4:100000'), /is not host:port/);
  });

  it('takes nothing, and the word for it', () => {
    assert.deepEqual([accepted(''), accepted('none'), accepted('NONE')], [[], [], []]);
  });

  it('bounds how many there are', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `127.0.0.1:${i + 1}`).join(',');
    assert.equal(accepted(many(64)).length, 64);
    assert.match(reasonFor(many(65)), /more than 64/);
  });
});
