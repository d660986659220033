import { Document, Paragraph, TextRun, Packer } from 'docx';
const d = new Document({ sections: [{ children: [new Paragraph({ children: [new TextRun({ text: 'Hi', bold: true })] })] }] });
Packer.toArrayBuffer(d).then(
  (b) => console.log(b.byteLength > 1000),
  (e) => console.log('E', e.message),
);
