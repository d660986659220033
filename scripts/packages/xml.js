import { XMLParser, XMLBuilder, XMLValidator } from 'fast-xml-parser';
const xml = '<?xml version="1.0"?><a x="1"><b>t &amp; u</b><b/><c><![CDATA[<raw>]]></c><!-- n --><d n="5">3.14</d></a>';
const o = new XMLParser({ ignoreAttributes: false, allowBooleanAttributes: true }).parse(xml);
console.log(o);
console.log(new XMLBuilder({ ignoreAttributes: false, format: true }).build(o));
console.log(XMLValidator.validate('<a><b></a>'));
