import * as cheerio from 'cheerio/slim';
const $ = cheerio.load('<ul id="f"><li class="apple">Apple</li><li class="orange" data-n="2">Orange</li></ul><p>x <b>y</b></p>');
$('li').each((i, e) => console.log(i, $(e).text(), $(e).attr('class'), $(e).data()));
$('.apple').addClass('red').after('<li>Pear</li>');
$('p b').wrap('<i></i>');
console.log(
  $.html(),
  $('ul > li:nth-child(2)').text(),
  $('li:not(.orange)')
    .map((i, e) => $(e).text())
    .get(),
);
