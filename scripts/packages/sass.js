import './shared/browser.js';
import * as sass from 'sass';
const r = sass.compileString(
  '$c: #336699; @mixin m($x){width:$x*2} .a{ .b &{color:lighten($c,10%)} @include m(4px); &:hover{color:darken($c,5%)} @each $n in a,b,c{ .#{$n}{content:"#{$n}"} } }',
);
console.log(r.css);
