import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FILE_ID, fileIdOfContent, fileIdOfName, requestIdOf } from '../../src/cli/import/request-id.ts';

test('ids are printable ASCII of at most 40 characters for any file', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }),
      fc.nat(),
      (header, row, line) => {
        const id = fileIdOfContent(header, row);
        expect(id).toMatch(FILE_ID);
        expect(requestIdOf(id, line)).toMatch(/^[ -~]{1,40}$/);
      },
    ),
  );
});

test('files with another header or another first row have other ids', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (header, row, otherHeader, otherRow) => {
      fc.pre(header !== otherHeader || row !== otherRow);
      expect(fileIdOfContent(header, row)).not.toBe(fileIdOfContent(otherHeader, otherRow));
    }),
  );
});

test('what moves from the header to the row makes another file', () => {
  expect(fileIdOfContent('ab', 'c')).not.toBe(fileIdOfContent('a', 'bc'));
});

test('line ends inside a row do not count', () => {
  expect(fileIdOfContent('a', '"x\r\ny"')).toBe(fileIdOfContent('a', '"x\ny"'));
});

test('a name and a content never give the same id', () => {
  fc.assert(
    fc.property(fc.string(), (text) => void expect(fileIdOfName(text)).not.toBe(fileIdOfContent('', text))),
  );
});

test('every line of a file has its own id', () => {
  expect(requestIdOf('0123456789abcdef', 2)).toBe('import:0123456789abcdef:2');
  expect(requestIdOf('0123456789abcdef', 22)).not.toBe(requestIdOf('0123456789abcdef', 2));
});
