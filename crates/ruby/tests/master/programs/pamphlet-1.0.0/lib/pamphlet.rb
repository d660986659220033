# frozen_string_literal: true

require "strscan"
require "pamphlet/version"
require_relative "pamphlet/inline"

# Headings, lists and paragraphs.
class Pamphlet
  def initialize(text) = @text = text

  def to_html
    @text.split(/\n{2,}/).map { |block| block_to_html(block.strip) }.join
  end

  private

  def block_to_html(block)
    case block
    when /\A(\#{1,6}) (.+)\z/ then "<h#{$1.size}>#{Inline.new($2).to_html}</h#{$1.size}>\n"
    when /\A- / then "<ul>#{block.lines.map { |line| "<li>#{Inline.new(line.delete_prefix("- ").chomp).to_html}</li>" }.join}</ul>\n"
    else "<p>#{Inline.new(block).to_html}</p>\n"
    end
  end
end
