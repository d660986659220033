# frozen_string_literal: true
#
# What `oubliette ruby` asks of Ruby while somebody types: is a line complete, how could it go on, what is its value.

module Sandbox
  # The person's side of a main Ruby.
  module Console
    MORE = /unexpected end-of-input|unterminated|expected an? `(?:end|\}|\)|\])`|expected a matching|unexpected end of file/
    KEYWORDS = %w[
      BEGIN END alias and begin break case class def defined? do else elsif end ensure false for if in module next nil not or redo rescue
      retry return self super then true undef unless until when while yield __FILE__ __LINE__ __method__ __ENCODING__
    ].freeze
    EVALUATE = ::Kernel.method(:eval)

    class << self
      # Whether a text is a whole program: "whole", or "more" when lines are missing.
      def state(source)
        names = ::TOPLEVEL_BINDING.local_variables
        ::RubyVM::InstructionSequence.compile("#{"#{names.join(" = ")} = nil; " unless names.empty?}#{source}")
        "whole"
      rescue ::SyntaxError => error
        error.message.match?(MORE) ? "more" : "whole"
      end

      # Evaluates a text and shows its value as irb does.
      def run(source, number)
        value = EVALUATE.call(source, ::TOPLEVEL_BINDING, "(ruby)", number)
        ::TOPLEVEL_BINDING.local_variable_set(:_, value)
        shown = show(value)
        ::STDOUT.puts(shown) unless source.rstrip.end_with?(";")
        nil
      end

      def show(value)
        text = ::BasicObject.instance_method(:__id__).bind_call(value) && (::Object === value ? value.inspect : "#<BasicObject>").to_s
        text = "#{text[0, 4000]}... (#{text.size} characters)" if text.size > 4000
        "=> #{text}"
      rescue ::StandardError => error
        "=> (#{error.class} when it was to be shown)"
      end

      # Ways to go on with a line: where the word begins, counted in bytes, and what it could be. Nothing is called to find out.
      def complete(line)
        found =
          case line
          when /(?:\A|[^\w.:@$"'])((?:::)?(?:[A-Z]\w*::)+)([A-Za-z_]\w*)?\z/
            start, word = $1, $2.to_s
            home = ::Object.const_get(start.delete_prefix("::").delete_suffix("::"))
            names = home.constants.map(&:to_s) + home.singleton_methods.map(&:to_s)
            [word, names]
          when /(?:\A|[^\w.:@$"'])((?:@@?|\$)?[A-Za-z_]\w*(?:::[A-Z]\w*)*)&?\.([A-Za-z_]\w*[?!]?)?\z/
            name, word = $1, $2.to_s
            value = value_of(name)
            [word, methods_of(value)]
          when /"(?:[^"\\]|\\.)*"\.([A-Za-z_]\w*[?!]?)?\z/ then [$1.to_s, methods_of("")]
          when /\]\.([A-Za-z_]\w*[?!]?)?\z/ then [$1.to_s, methods_of([])]
          when /\}\.([A-Za-z_]\w*[?!]?)?\z/ then [$1.to_s, methods_of({})]
          when /(?:\A|[^\w.])\d+\.([A-Za-z_]\w*[?!]?)?\z/ then [$1.to_s, methods_of(1)]
          when /(\$\w*)\z/ then [$1, ::Kernel.global_variables.map(&:to_s)]
          when /(@\w*)\z/ then [$1, ::TOPLEVEL_BINDING.receiver.instance_variables.map(&:to_s)]
          when /([A-Za-z_]\w*[?!]?)\z/
            main = ::TOPLEVEL_BINDING
            names = main.local_variables.map(&:to_s) + ::Object.constants.map(&:to_s) + KEYWORDS
            [$1, names + main.receiver.private_methods.map(&:to_s) + main.receiver.methods.map(&:to_s)]
          end
        return [line.bytesize, []] unless found
        word, names = found
        names = names.select { |name| name.start_with?(word) && name.match?(/\A[$@\w]+[?!]?\z/) && (word != "" || !name.start_with?("_")) }
        [line.bytesize - word.bytesize, names.uniq.sort.first(200)]
      rescue ::Exception
        [line.bytesize, []]
      end

      private

      def value_of(name)
        case name
        when /\A[A-Z]/ then ::Object.const_get(name)
        when "self" then ::TOPLEVEL_BINDING.receiver
        when /\A[@$]/ then EVALUATE.call(name, ::TOPLEVEL_BINDING)
        else ::TOPLEVEL_BINDING.local_variable_get(name)
        end
      end

      def methods_of(value)
        ::Object === value ? value.public_methods.map(&:to_s) : []
      end
    end
  end
end
