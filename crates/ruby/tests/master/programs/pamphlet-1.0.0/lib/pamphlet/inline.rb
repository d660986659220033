# frozen_string_literal: true

class Pamphlet
  # What stands inside a block.
  class Inline
    ESCAPES = { "<" => "&lt;", ">" => "&gt;", "&" => "&amp;" }.freeze

    def initialize(text) = @scanner = StringScanner.new(text)

    def to_html
      out = +""
      until @scanner.eos?
        if @scanner.scan(/\*([^*]+)\*/) then out << "<em>#{@scanner[1]}</em>"
        elsif (plain = @scanner.scan(/[^*<>&]+/)) then out << plain
        else
          char = @scanner.getch
          out << ESCAPES.fetch(char, char)
        end
      end
      out
    end
  end
end
