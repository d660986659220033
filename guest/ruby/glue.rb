# frozen_string_literal: true
#
# What lives inside every box: the Ruby side of the hatch, and the Sandbox API over it.
#
# A box is a coroutine. The host starts an activation (Glue.enter); Ruby answers with one message when it is done. In between it may
# knock at the door: it leaves a message in OUT, calls `to_s` on DOOR, and gets the answer as a string. An answer may be an
# order to run something first (a block, a method of a lent object); its result is the next message.
#
# Nothing here is a wall. Whoever breaks this code breaks their own box only: the host checks every message.

require "js.so"

module Sandbox
  # What a box may raise about other boxes. Errors of another box arrive as Sandbox::Exception, with the class and message they had there.
  class Exception < ::StandardError
    # Name of the class that the error had where it was raised.
    attr_accessor :class_name
    # The message it had there.
    attr_accessor :original_message
  end

  class TransferException < Exception; end
  class ScreenException < Exception; end
  class TimeoutException < Exception; end
  class MemoryException < Exception; end
  class FuelException < Exception; end
  class DeadException < Exception; end
  TimeoutError = TimeoutException

  module Glue
    # Raised where a call is abandoned by whoever made it. Not for programs to rescue.
    class Unwind < ::Exception; end

    # From the host.
    EVAL, RUN, SET, REF, INIT, VALUE, ERROR, UNWIND, FEATURE, IMPORT, MAIN, GLOBAL, OFFER, PROGRAM, CALL_GLOBAL, ENVIRONMENT = *1..16
    # To the host.
    TO_VALUE, TO_ERROR, TO_CALL, TO_OFFER, TO_BOX, TO_ABANDON = *1..6

    DOOR = JS.global
    OUT = ::String.new("", capacity: 4096, encoding: ::Encoding::BINARY)
    # A question that the host reads where it lies: how its message begins, then a list of plain arguments, then room for a plain answer.
    QUERY = [nil, nil, nil]
    UTF8 = ::Encoding::UTF_8
    HEAD = ::String.new("a", encoding: ::Encoding::BINARY).freeze
    EXPORTS = {}
    IDS = {}.compare_by_identity
    COUNTS = {}
    RELEASED = []
    AT_EXIT = []
    STATE = { next: 1, current: nil, resolver: nil }
    BOXES = {}

    KLASS = ::Kernel.instance_method(:class)
    IVARS = ::Kernel.instance_method(:instance_variables)
    IVAR = ::Kernel.instance_method(:instance_variable_get)
    SINGLETON = ::Kernel.instance_method(:singleton_class)
    RESPOND = ::Kernel.instance_method(:respond_to?)
    FINALIZE = ::ObjectSpace.method(:define_finalizer)
    EVALUATE = ::Kernel.method(:eval)
    CALLER = ::Kernel.method(:caller)
    PLACES = ::Thread.method(:each_caller_location)
    ISEQ = ::RubyVM::InstructionSequence
    # Sources that were evaluated: file, line, how many local variables there were then, what they were compiled to, and how often they were evaluated.
    KNOWN = {}
    DIFFERENT = /\b(?:return|break|next|redo|retry|yield|super|BEGIN|END|__\w+__|binding|local_variable\w*|eval|instance_eval|
      instance_exec|caller\w*|backtrace\w*|def|class|module|private|public|protected|module_function|using|refine|alias|undef|proc|
      lambda|it|_[1-9]|DATA|coding|frozen_string_literal|warn_indent|shareable_constant_value|trace\w*|TracePoint|Sandbox|Fiber)\b|
      \A\s*\#|^=begin/x
    CONDITIONS = /\b(?:if|unless|while|until|and|or|not)\b|[?!]/
    REFLECTIVE = %i[
      send __send__ public_send instance_eval instance_exec class_eval module_eval class_exec module_exec eval binding
      method public_method singleton_method instance_method public_instance_method define_method define_singleton_method
      instance_variable_get instance_variable_set instance_variables remove_instance_variable class_variable_get class_variable_set
      class_variables remove_class_variable const_get const_set const_missing remove_const const_source_location alias_method
      undef_method remove_method attr attr_reader attr_writer attr_accessor extend include prepend refine using singleton_class
      autoload module_function public private protected public_class_method private_class_method private_constant
      public_constant deprecate_constant instance_variable_defined? method_missing initialize initialize_copy freeze
      allocate superclass subclasses attached_object to_proc then yield_self tap system exec fork spawn exit exit! abort
      require require_relative load open syscall trap
    ].to_h { |name| [name, true] }.freeze

    class << self
      # Knocks at the door with one message; gives the host's whole answer, read.
      def knock(message)
        OUT.replace(message)
        hear
      end

      # What the host has to say. Its first byte tells whether it comes in several parts.
      def hear
        answer = DOOR.to_s
        case answer.getbyte(0)
        when 2
          # Nothing is to be forgotten: only the order and what goes with it.
          left = answer.getbyte(2)
          @at = 3
          @input = answer
          message = [nil, answer.getbyte(1)]
          while left > 0
            message << get
            left -= 1
          end
          return message
        when 0 then @at = 1
        else
          size = answer.unpack1("V", offset: 1) + 5
          answer << DOOR.to_s while answer.bytesize < size
          @at = 5
        end
        @input = answer
        message = get
        released = message[0]
        released.each { |id| release(id) } if released
        message
      end

      def release(id)
        left = COUNTS[id]
        return unless left
        if left > 1
          COUNTS[id] = left - 1
        else
          COUNTS.delete(id)
          IDS.delete(EXPORTS.delete(id))
        end
      end

      # Writes a message. `policy` says which objects may go out by reference: true for all, else a hash of classes.
      def message(policy, kind, *fields)
        out = HEAD.dup
        put_size(out, fields.size + 2)
        if RELEASED.empty?
          out << "0c" << kind
        else
          gone = RELEASED.dup
          RELEASED.clear
          put(out, gone, true, 0)
          out << "c" << kind
        end
        at = 0
        while at < fields.size
          put(out, fields[at], policy, 0)
          at += 1
        end
        out
      end

      # A length: seven bits a byte, the low ones first.
      def put_size(out, size)
        while size > 127
          out << (size & 127 | 128)
          size >>= 7
        end
        out << size
      end

      def put(out, object, policy, depth)
        case object
        when ::Integer
          if object.bit_length < 29
            if object >= 0
              object < 128 ? out << "c" << object : put_size(out << "j", object)
            else
              put_size(out << "k", -object)
            end
          elsif object.bit_length < 64
            out << "i" << [object].pack("q<")
          else
            put_blob(out, "I", object.to_s(16))
          end
        when ::String then put_string(out, object, policy)
        # Classes: comparing with nil itself would cost ten times as much.
        when ::NilClass then out << "0"
        when ::Symbol
          name = object.name
          name = name.encode(::Encoding::UTF_8) unless name.ascii_only? || name.encoding == ::Encoding::UTF_8
          put_blob(out, "y", name)
        when ::TrueClass then out << "T"
        when ::FalseClass then out << "F"
        when ::Float then out << "d" << [object].pack("E")
        when Ref then put_ref(out, object)
        when ::Array
          return put_own(out, object, policy) unless object.instance_of?(::Array) && object.instance_variables.empty?
          raise TransferException, "an Array is nested too deeply to cross" if depth > 48
          put_size(out << "a", object.size)
          at = 0
          while at < object.size
            put(out, object[at], policy, depth + 1)
            at += 1
          end
        when ::Hash
          return put_own(out, object, policy) unless object.instance_of?(::Hash) && object.instance_variables.empty?
          raise TransferException, "a Hash is nested too deeply to cross" if depth > 48
          put_size(out << "h", object.size)
          object.each_pair { |key, value| put(out, key, policy, depth + 1); put(out, value, policy, depth + 1) }
        else put_own(out, object, policy)
        end
      end

      def put_blob(out, tag, string)
        put_size(out << tag, string.bytesize)
        out.append_as_bytes(string)
      end

      def put_string(out, string, policy)
        return put_own(out, string, policy) unless string.instance_of?(::String) && string.instance_variables.empty?
        encoding = string.encoding
        if encoding.equal?(UTF8) && string.valid_encoding? || encoding.equal?(::Encoding::US_ASCII) && string.ascii_only?
          put_blob(out, "s", string)
        elsif encoding == ::Encoding::BINARY
          put_blob(out, "b", string)
        else
          put_blob(out, "e", encoding.name)
          put_size(out, string.bytesize)
          out.append_as_bytes(string)
        end
      end

      def put_ref(out, ref)
        index = IVAR.bind_call(ref, :@index)
        # Our own object, come back as a reference, is nothing but itself.
        put_size(out << "p", index)
        put_size(out, IVAR.bind_call(ref, :@generation))
        out << 0
      end

      def put_own(out, object, policy)
        klass = KLASS.bind_call(object)
        klass = object if ::Module === object && policy != true
        unless policy == true || allowed?(policy, object, klass)
          raise TransferException, "#{::Module === object ? object : klass} is not referred to in the receiving sandbox"
        end
        put_size(out << "o", export(object))
        put_blob(out, "", (klass.name || "Object").to_s)
      end

      def allowed?(policy, object, klass)
        return true if policy.key?(klass) || policy[:helpers]&.any? { |helper| helper.equal?(object) }
        return false if ::Module === object || ::Proc === object || ::Method === object || ::Binding === object
        klass.ancestors.any? { |ancestor| ancestor != ::Object && ancestor != ::Kernel && ancestor != ::BasicObject && policy.key?(ancestor) }
      end

      def export(object)
        id = IDS[object]
        if id
          COUNTS[id] += 1
        else
          id = STATE[:next]
          STATE[:next] = id + 1
          IDS[object] = id
          EXPORTS[id] = object
          COUNTS[id] = 1
        end
        id
      end

      def get
        input, at = @input, @at
        @at = at + 1
        case input.getbyte(at)
        when 0x30 then nil
        when 0x63
          @at = at + 2
          input.getbyte(at + 1)
        when 0x73 then get_blob
        when 0x54 then true
        when 0x46 then false
        when 0x69
          @at = at + 9
          input.unpack1("q<", offset: at + 1)
        when 0x79 then get_blob.to_sym
        when 0x64
          @at = at + 9
          input.unpack1("E", offset: at + 1)
        when 0x61
          left = get_size
          list = []
          while left > 0
            list << get
            left -= 1
          end
          list
        when 0x68
          left = get_size
          hash = {}
          while left > 0
            key = get
            hash[key] = get
            left -= 1
          end
          hash
        when 0x62 then get_blob.force_encoding(::Encoding::BINARY)
        when 0x49 then get_blob.to_i(16)
        when 0x65
          name = get_blob
          bytes = get_blob
          bytes.force_encoding(name) rescue bytes
        when 0x6f
          id = get_size
          get_blob
          EXPORTS[id]
        when 0x70
          index = get_size
          generation = get_size
          Ref.__make__(index, generation, get_blob)
        else raise Exception, "an answer of the host's makes no sense"
        end
      end

      def get_size
        input, at = @input, @at
        byte = input.getbyte(at)
        size = byte & 127
        shift = 7
        while byte > 127
          at += 1
          byte = input.getbyte(at)
          size |= (byte & 127) << shift
          shift += 7
        end
        @at = at + 1
        size
      end

      def get_blob
        size = get_size
        at = @at
        @at = at + size
        @input.byteslice(at, size)
      end

      # The entry of every activation: does what the host ordered. Gives OUT with the result in it, or the value itself of an eval that is
      # nothing but a number, nil, true or false.
      def enter
        order = hear
        return OUT.replace(perform(order)) unless order[1] == EVAL
        done = false
        begin
          value = evaluate(order[2], order[3], order[4])
          if RELEASED.empty?
            case value
            when ::Integer
              if value.bit_length < 30
                done = true
                return value
              end
            when ::NilClass, ::TrueClass, ::FalseClass
              done = true
              return value
            end
          end
          OUT.replace(message(true, TO_VALUE, value))
          done = true
        rescue ::Exception => error
          done = true
          OUT.replace(failure(error))
        ensure
          knock(message(true, TO_ABANDON)) unless done
        end
        OUT
      end

      # Does what the host orders and gives the message that tells of it.
      def perform(order)
        done = false
        policy = true
        begin
          value =
            case order[1]
            when EVAL then evaluate(order[2], order[3], order[4])
            when RUN
              policy = policy_for(order[2], false)
              run(order)
            when SET then assign(order[2], order[3])
            when REF then define_boxed(order[2], order[3], order[4])
            when INIT then Setup.init(order[2])
            when FEATURE then load_feature(order[2], order[3], order[4])
            when IMPORT then import(order[2], order[3], order[4], order[5])
            when MAIN then ::TOPLEVEL_BINDING.receiver
            when GLOBAL then global(order[2])
            when OFFER then offer(order[2], order[3], order[4])
            when PROGRAM then program(order[2], order[3], order[4], order[5])
            when CALL_GLOBAL then ::TOPLEVEL_BINDING.receiver.__send__(order[2], *order[3])
            when ENVIRONMENT
              # Given with the first order, which follows.
              ::ENV.replace(order[2])
              done = true
              return perform([nil, *order.drop(3)])
            else raise Exception, "an unknown order"
            end
          result = message(policy, TO_VALUE, value)
          done = true
          result
        rescue ::Exception => error
          done = true
          failure(error)
        ensure
          # A break, throw or return went through: what called us is never answered, and must be unwound.
          knock(message(true, TO_ABANDON)) unless done
        end
      end

      def failure(error)
        trace = (error.backtrace || []).first(60).reject { |line| line.start_with?("(oubliette)", "eval:1:in") }.first(40)
        report = nil
        status = ::SystemExit === error ? error.status : nil
        name, text = KLASS.bind_call(error).name || "Exception", nil
        if Exception === error && error.class_name
          name, text = error.class_name, error.original_message
        end
        text ||= error.message.to_s
        text = text.encode(::Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
        unless status
          error.set_backtrace(trace) if trace.size < (error.backtrace || trace).size rescue nil
          report = error.full_message(highlight: false, order: :top).to_s.scrub rescue nil
          # Where there is no trace, Ruby names the place that it is at, which is here. For a file that does not parse it is the file.
          report = report&.sub(/\A\(oubliette\):\d+:in '[^']*': /) { STATE[:name] ? "#{STATE[:name]}: " : "" } if trace.empty?
        end
        message(true, TO_ERROR, name, text, trace.map { |line| line.dup.force_encoding(::Encoding::UTF_8).scrub }, status, report)
      rescue ::Exception
        message(true, TO_ERROR, "Exception", "an error that cannot be told", [], nil, nil)
      end

      # What a box of ours may be lent: everything by a box that is none of ours to judge. Blocks go with calls, never with results.
      def policy_for(id, blocks)
        box = id && BOXES[id]
        return true unless box
        classes = box.__classes__
        blocks ? classes.merge(ALWAYS) : classes
      end

      # Sends a message and waits for its answer, doing meanwhile what the host orders.
      def talk(message) = wait(knock(message))

      # Calls an offer with arguments that are most likely plain. `start` is the message up to them.
      def ask(start, arguments)
        if RELEASED.empty?
          query = QUERY
          query[0] = start
          query[1] = arguments
          return query[2] if DOOR.strictly_eql?(DOOR)
          query[1] = nil
          # One means that the answer is not plain, and waits.
          return wait(hear) if query[2] == 1
        end
        out = start.dup << "a"
        put_size(out, arguments.size)
        at = 0
        while at < arguments.size
          put(out, arguments[at], true, 1)
          at += 1
        end
        talk(out << "0")
      end

      # A call of an offer, up to its arguments.
      def start_of(name, method)
        start = message(true, TO_OFFER, name, method)
        start.setbyte(1, 6)
        start.freeze
      end

      def wait(answer)
        while true
          code = answer[1]
          return answer[2] if code == VALUE
          raise error_from(answer) if code == ERROR
          raise Unwind, "abandoned" if code == UNWIND
          answer = knock(perform(answer))
        end
      end

      KINDS = {
        "timeout" => TimeoutException, "memory" => MemoryException, "fuel" => FuelException, "dead" => DeadException,
        "transfer" => TransferException
      }.freeze

      def error_from(answer)
        _, _, name, text, trace, kind = answer
        klass = KINDS[kind]
        klass ||= ::Sandbox.const_get($1) if name =~ /\ASandbox::(\w+Exception|Exception)\z/ && ::Sandbox.const_defined?($1)
        klass = Exception unless klass && klass <= Exception
        klass = MemoryException if name == "NoMemoryError"
        error = klass.new(klass == Exception && !name.start_with?("Sandbox::") ? "#{name}: #{text}" : text)
        error.class_name = name
        error.original_message = text
        if trace && !trace.empty?
          error.set_backtrace(trace + CALLER.call(2).reject { |line| line.start_with?("(oubliette)") })
        end
        error
      end

      def evaluate(source, file, line)
        known = KNOWN[source]
        # Local variables come, and never go: their number tells. Two arrays cost twenty times as much to compare.
        if known && known[1] == line && known[0] == file && known[2] == ::TOPLEVEL_BINDING.local_variables.size
          if (ready = known[3])
            begin
              return ready.call
            rescue ::Exception => error
              raise unwrap(error, file)
            end
          end
          # Compiling it so that it can be kept costs as much as some ten evals.
          known[4] += 1
          known[3] = ready = again(source, file, line) if ready.nil? && known[4] > 4
          return ready.call if ready
          return EVALUATE.call(source, ::TOPLEVEL_BINDING, file, line)
        end
        result = EVALUATE.call(source, ::TOPLEVEL_BINDING, file, line)
        if source.bytesize < 2000
          KNOWN.clear if KNOWN.size >= 64
          KNOWN[source.dup.freeze] = [file, line, ::TOPLEVEL_BINDING.local_variables.size, nil, 1]
        end
        result
      end

      # Compiles what was evaluated before, so that it can be called from now on; false where that would not be quite the same:
      # where it names a new local variable, or asks what it is part of.
      def again(source, file, line)
        return false if source.match?(DIFFERENT) || source.include?("..") && source.match?(CONDITIONS)
        ready = EVALUATE.call("->() { #{source}\n}", ::TOPLEVEL_BINDING, file, line)
        ISEQ.of(ready).to_a[10].empty? && ready
      rescue ::SyntaxError
        false
      end

      # Its backtrace, as if the source had not been made a block.
      def unwrap(error, file)
        trace = error.backtrace
        if trace
          trace.each_with_index do |place, at|
            next unless place.start_with?(file)
            trace[at] = place.sub(/in '(?:block|block \((\d+) levels\)) in <main>'/) do
              case $1
              when nil then "in '<main>'"
              when "2" then "in 'block in <main>'"
              else "in 'block (#{$1.to_i - 1} levels) in <main>'"
              end
            end
          end
          error.set_backtrace(trace)
        end
        error
      end

      def run(order)
        _, _, asker, target, name, arguments, block, restricted = order
        raise Exception, "this object was released" if target.nil? && name != :nil?
        yielder = block && ->(*given) { block.call(*given) }
        keywords = ::Hash === arguments.last && arguments.last.key?(:__keywords__) ? arguments.pop[:__keywords__] : {}
        if name.nil?
          return target.call(*arguments, **keywords, &yielder)
        end
        if restricted
          if REFLECTIVE.key?(name)
            return constant(target, arguments[0], asker) if name == :const_missing && ::Module === target
            raise ::NoMethodError, "'#{name}' is not for objects lent to a sandbox"
          end
        end
        target.public_send(name, *arguments, **keywords, &yielder)
      end

      # A constant of a class that is referred to, for BoxedClass.const_missing. Only what the class itself defines.
      def constant(target, name, _asker)
        raise ::NameError, "uninitialized constant #{target}::#{name}" unless target.const_defined?(name, false)
        target.const_get(name, false)
      end

      def assign(name, value)
        name = name.to_s
        case name
        when /\A\p{Upper}\w*\z/
          ::Object.__send__(:remove_const, name) if ::Object.const_defined?(name, false)
          ::Object.const_set(name, value)
        when /\A\$\w+\z/
          STATE[:assigned] = value
          EVALUATE.call("#{name} = ::Sandbox::Glue.assigned")
        when /\A@\w+\z/ then ::TOPLEVEL_BINDING.receiver.instance_variable_set(name, value)
        when /\A[\p{Lower}_]\w*\z/ then ::TOPLEVEL_BINDING.local_variable_set(name, value)
        else raise ::NameError, "'#{name}' is not a name"
        end
        nil
      end

      def assigned = STATE.delete(:assigned)

      def global(name)
        name = name.to_s
        main = ::TOPLEVEL_BINDING
        case name
        when /\A\p{Upper}\w*\z/ then ::Object.const_defined?(name) ? [::Object.const_get(name)] : nil
        when /\A\$\w+\z/ then ::Kernel.global_variables.include?(name.to_sym) ? [EVALUATE.call(name)] : nil
        when /\A@\w+\z/ then main.receiver.instance_variable_defined?(name) ? [main.receiver.instance_variable_get(name)] : nil
        when /\A[\p{Lower}_]\w*[?!]?\z/
          if !name.end_with?("?", "!") && main.local_variable_defined?(name)
            [main.local_variable_get(name)]
          elsif main.receiver.respond_to?(name, true)
            [main.receiver.method(name)]
          end
        end
      end

      # The module that a constant path lies in, made where it is missing.
      def nest(path)
        *outer, last = path.split("::")
        home = outer.inject(::Object) do |at, name|
          at.const_defined?(name, false) ? at.const_get(name, false) : at.const_set(name, ::Module.new)
        end
        [home, last]
      end

      def define_boxed(path, ref, _kind)
        home, name = nest(path)
        klass = ::Class.new(BoxedClass)
        klass.instance_variable_set(:@__ref__, ref)
        home.__send__(:remove_const, name) if home.const_defined?(name, false)
        home.const_set(name, klass)
        STATE[:boxed] ||= {}
        STATE[:boxed][path] = klass
        nil
      end

      def boxed(name) = STATE[:boxed]&.[](name)

      # A module of the outside under its own name: its functions are called there, and so are its methods, on a helper that has them.
      def import(path, ref, methods, helper)
        home, name = nest(path)
        return Setup.restore(path) if ref.nil?
        if home.const_defined?(name, false) && !(STATE[:boxed]&.key?(path) || STATE[:imported]&.key?(path))
          raise ::TypeError, "#{path} is already defined in the sandbox"
        end
        made = ::Module.new
        methods.each { |method| made.define_method(method) { |*given, &block| helper.__send__(method, *given, &block) } }
        made.define_singleton_method(:method_missing) { |method, *given, &block| ref.__send__(method, *given, &block) }
        made.define_singleton_method(:respond_to_missing?) { |method, _ = false| ref.respond_to?(method) }
        home.__send__(:remove_const, name) if home.const_defined?(name, false)
        home.const_set(name, made)
        (STATE[:imported] ||= {})[path] = made
        nil
      end

      # Something that the embedder offers under a name: a function becomes a method of every object, the rest a global method that gives it.
      def offer(name, kind, value)
        method = name.to_s
        body =
          case kind
          when :function
            start = start_of(method, nil)
            ->(*given, &block) { block ? Glue.talk(Glue.message(true, TO_OFFER, method, nil, given, block)) : Glue.ask(start, given) }
          when :value then ->() { value }
          else
            object = Offered.new(method, value.to_s)
            ::Object.const_set(method, object) if method.match?(/\A\p{Upper}\w*\z/) && !::Object.const_defined?(method, false)
            ->() { object }
          end
        ::Kernel.define_method(method, &body)
        ::Kernel.module_eval { private method } unless method.match?(/\W/)
        nil
      end

      def program(source, file, arguments, inputs = nil)
        ::ARGV.replace(arguments)
        ::Object.const_set(:INPUTS, inputs) if inputs && !::Object.const_defined?(:INPUTS, false)
        EVALUATE.call("$0 = ::Sandbox::Glue.program_name") if STATE[:name] = file
        result = nil
        begin
          result = EVALUATE.call(source, ::TOPLEVEL_BINDING, file, 1)
        ensure
          while (block = AT_EXIT.pop)
            block.call
          end
        end
        plain_or_nil(result)
      end

      def program_name = STATE[:name]

      # The value of a program, where it can be copied; a program is not asked for references.
      def plain_or_nil(value)
        put(::String.new(encoding: ::Encoding::BINARY), value, {}, 0)
        value
      rescue TransferException
        nil
      end

      # Runs a file that another sandbox found; what it requires in turn is found there too.
      def load_feature(path, source, resolver)
        return false if $LOADED_FEATURES.include?(path)
        $LOADED_FEATURES << path unless $LOADED_FEATURES.frozen?
        before = STATE[:resolver]
        STATE[:resolver] = resolver
        Setup.with_require { EVALUATE.call(source, ::TOPLEVEL_BINDING, path, 1) }
        true
      ensure
        STATE[:resolver] = before
      end

      def resolve(name, from)
        found = STATE[:resolver]&.call(name, from)
        return nil unless found
        path, source = found
        return false if source.nil? || (STATE[:required] ||= {})[path]
        STATE[:required][path] = true
        EVALUATE.call(source, ::TOPLEVEL_BINDING, path, 1)
        true
      end
    end
  end

  # Something that is not in this sandbox. Whatever is called on it is called there.
  class Ref < ::BasicObject
    def self.__make__(index, generation, class_name)
      # The host tells which box the object lives in, and the name of its class there.
      box, class_name = class_name.split("#", 2)
      ref = (class_name && Glue.boxed(class_name) || Ref).allocate
      ref.__set__(index, generation, box.to_i)
      Glue::FINALIZE.call(ref, releaser(index, generation))
      ref
    end

    def self.releaser(index, generation) = ->(_) { Glue::RELEASED << index << generation }
    private_class_method :releaser

    def __set__(index, generation, box)
      @index, @generation, @box = index, generation, box
    end

    def method_missing(name, *arguments, **keywords, &block)
      arguments << { __keywords__: keywords } unless keywords.empty?
      Glue.talk(Glue.message(Glue.policy_for(@box, true), Glue::TO_CALL, self, name, arguments, block))
    end

    def respond_to_missing?(_name, _private = false) = true

    %i[== != ! equal? instance_eval instance_exec __send__ __id__].each { |name| undef_method(name) unless name == :__id__ || name == :equal? || name == :__send__ }

    def ==(other) = __id__ == Glue::ID.bind_call(other) || method_missing(:==, other)
    def !=(other) = !(self == other)
    def ! = false
    def __send__(name, *arguments, **keywords, &block) = method_missing(name, *arguments, **keywords, &block)
  end

  module Glue
    ID = ::BasicObject.instance_method(:__id__)
  end

  # A class of the outside. Its instances in this sandbox are references.
  class BoxedClass < Ref
    class << self
      def new(*arguments, **keywords, &block) = @__ref__.__send__(:new, *arguments, **keywords, &block)
      def method_missing(name, *arguments, **keywords, &block) = @__ref__.__send__(name, *arguments, **keywords, &block)
      def respond_to_missing?(name, _private = false) = @__ref__.respond_to?(name)
      def const_missing(name) = @__ref__.__send__(:const_missing, name)
      def __ref__ = @__ref__
    end
  end

  # What the embedder offers under a name, where it is an object.
  class Offered < ::BasicObject
    def initialize(name, class_name)
      @name, @class_name = name, class_name
    end

    def method_missing(method, *arguments, &block)
      return Glue.talk(Glue.message(true, Glue::TO_OFFER, @name, method, arguments, block)) if block
      start = (@starts ||= {})[method]
      unless start
        @starts.clear if @starts.size > 100
        start = @starts[method] = Glue.start_of(@name, method)
      end
      Glue.ask(start, arguments)
    end

    def respond_to_missing?(_name, _private = false) = true
    def class = @class_name
    def inspect = "#<#{@class_name} (offered)>"
  end

  # A sandbox with the whole of Ruby in it.
  class Full
    attr_reader :options

    def initialize(options = {}, **more)
      @options = options.merge(more)
      @classes = {}
      @safe = Safe === self
      init = @options.key?(:init) ? @options[:init] : (@safe ? nil : :all)
      @id = Glue.talk(Glue.message(true, Glue::TO_BOX, :new, {
        init: [*init].map { |group| group.to_sym }, memory: @options[:memory], fuel: @options[:fuel], timeout: @options[:timeout],
        output: @options[:output], boxes: @options[:boxes], rollback: @options[:rollback]
      }))
      keep
      [*@options[:ref]].each { |klass| ref(klass) }
      [*@options[:import]].each { |klass| import(klass) }
    end

    # Evaluates Ruby in the sandbox. timeout: seconds, fuel: units. A sandbox stopped for one of them is dead.
    def eval(source, options = {}, **more)
      options = options.merge(more) unless more.empty?
      source = source.to_str
      return Glue.evaluate(source, "(eval)", 1) if @id == :self
      order(options, Glue::EVAL, source, (options[:file] || "(sandbox)").to_s, options[:line] || 1)
    end

    # Evaluates what is in a file or IO.
    def load(io, options = {}, **more)
      options = options.merge(more)
      source = io.respond_to?(:read) ? io.read : ::File.read(io)
      name = io.respond_to?(:path) ? io.path.to_s : (io.respond_to?(:read) ? "(sandbox)" : io.to_s)
      self.eval(source, { file: name }.merge(options))
      nil
    end

    # Loads a file into the sandbox, found as the caller's own sandbox finds it.
    def require(name, options = {}, **more)
      found = Full.__find__(name.to_str, nil)
      raise ::LoadError, "cannot load such file -- #{name}" unless found
      order(options.merge(more), Glue::FEATURE, found[0], found[1], Full.method(:__find__))
    end

    # Lets the sandbox reach a class of ours, under its name.
    def ref(klass)
      raise ::TypeError, "#{klass.inspect} is not a class or module" unless ::Module === klass
      raise ::ArgumentError, "an anonymous class cannot be referred to" unless klass.name
      @classes[klass] = true
      order({}, Glue::REF, klass.name, klass, ::Class === klass ? :class : :module)
      nil
    end

    # Gives the sandbox a module of ours under its own name, to include or to call; a class of Ruby's own comes back into sight.
    def import(klass)
      raise ::TypeError, "#{klass.inspect} is not a class or module" unless ::Module === klass
      if Setup::HIDDEN.key?(klass.name.to_sym)
        order({}, Glue::IMPORT, klass.name, nil, nil, nil)
      elsif ::Class === klass
        if self.eval("Object.const_defined?(#{klass.name.inspect}) && !(Sandbox::BoxedClass > #{klass.name})")
          raise ::TypeError, "#{klass} is already defined in the sandbox"
        end
        ref(klass)
      else
        helper = ::Object.new.extend(klass)
        helper.singleton_class.class_eval { public(*klass.instance_methods(false), *klass.private_instance_methods(false)) }
        @classes[klass] = true
        (@classes[:helpers] ||= []) << helper
        methods = klass.instance_methods + klass.private_instance_methods(false)
        order({}, Glue::IMPORT, klass.name, klass, methods, helper)
      end
      nil
    end

    # Sets a constant, global, instance variable of main, or local variable, told apart by its first character.
    def set(name, value)
      order({}, Glue::SET, name.to_s, value)
      value
    end

    # The main object of the sandbox.
    def main = order({}, Glue::MAIN)

    # What the last order used: fuel units, bytes of memory at most.
    def usage = Glue.talk(Glue.message(true, Glue::TO_BOX, :usage, @id))

    # Whether the sandbox was stopped for good.
    def dead? = @id != :self && Glue.talk(Glue.message(true, Glue::TO_BOX, :dead, @id))

    # What the sandbox wrote since it was asked last, if its output is kept (output: :keep).
    def output = Glue.talk(Glue.message(true, Glue::TO_BOX, :output, @id))

    # The sandbox as it is now, to be brought back any number of times.
    def snapshot = Snapshot.new(Glue.talk(Glue.message(true, Glue::TO_BOX, :snapshot, @id)), self)

    # Another sandbox in the same state.
    def clone(**) = snapshot.spawn

    alias dup clone

    def inspect = "#<#{self.class}>"

    def __classes__ = @classes

    def __adopt__(id, options, classes)
      @id, @options, @classes = id, options, classes.dup
      @safe = Safe === self
      keep
      self
    end

    FILE = ::File
    private_constant :FILE

    # Finds a file as `require` does: its path and its text.
    def self.__find__(name, from)
      names = name.end_with?(".rb") ? [name] : ["#{name}.rb", name]
      places = from ? [FILE.dirname(from)] : (name.start_with?("/") ? [""] : $LOAD_PATH)
      places = [""] if name.start_with?("./", "../") && !from
      places.each do |place|
        names.each do |candidate|
          path = place.empty? ? candidate : FILE.expand_path(candidate, place)
          return [path, FILE.read(path)] if FILE.file?(path) && path.end_with?(".rb")
        end
      end
      nil
    end

    private

    def keep
      Glue::BOXES[@id] = Glue::WEAK.new(self)
      Glue::FINALIZE.call(self, Full.__send__(:dropper, @id))
    end

    def self.dropper(id) = ->(_) { Glue::DROPPED << id }
    private_class_method :dropper

    def order(options, *fields)
      raise Exception, "this is the sandbox itself" if @id == :self
      limits = { timeout: options[:timeout] || @options[:timeout], fuel: options[:fuel] || @options[:fuel] }
      dropped = Glue::DROPPED.dup
      Glue::DROPPED.clear
      message = Glue.message(@classes.merge(Glue::ALWAYS), Glue::TO_BOX, :order, @id, limits, fields, dropped)
      Glue.talk(message)
    end
  end

  # A sandbox with nothing that reaches out of the language.
  class Safe < Full; end

  # A sandbox frozen as it was.
  class Snapshot
    def initialize(id, of)
      @id, @class, @options, @classes = id, of.class, of.options, of.__classes__
    end

    # A new sandbox in the frozen state.
    def spawn
      id = Glue.talk(Glue.message(true, Glue::TO_BOX, :spawn, @id))
      @class.allocate.__adopt__(id, @options, @classes)
    end
  end

  module Glue
    # A safe box that may make boxes has no ObjectSpace.
    WEAK_MAP = ::ObjectSpace::WeakMap
    # A box that is still in use, found by its number without keeping it alive.
    class WEAK
      def initialize(box)
        @map = WEAK_MAP.new
        @map[:box] = box
      end

      def __classes__ = @map[:box]&.__classes__ || {}
    end
    DROPPED = []
    # What may always be lent: blocks given to calls, and the resolver of `require`.
    ALWAYS = { ::Proc => true, ::Method => true }.freeze
  end

  class << self
    def new(*arguments, **options) = Full.new(*arguments, **options)
    def safe(*arguments, **options) = Safe.new(*arguments, **options)

    # The sandbox that this code runs in.
    def current
      Glue::STATE[:current] ||= (Setup.safe? ? Safe : Full).allocate.__adopt_self__
    end

    # Whether an object, with all it holds, is of this sandbox alone.
    def screen(object)
      seen = {}.compare_by_identity
      queue = [object]
      until queue.empty?
        item = queue.pop
        next if seen[item]
        seen[item] = true
        if Ref === item || Offered === item || ::Module === item && ::Class === item && item <= BoxedClass && item != BoxedClass
          raise ScreenException, "the object holds something that is not of this sandbox"
        end
        Glue::IVARS.bind_call(item).each { |name| queue << Glue::IVAR.bind_call(item, name) } unless ::BasicObject === item && !(::Object === item)
        case item
        when ::Array then queue.concat(item)
        when ::Hash then item.each_pair { |key, value| queue << key << value }
        when ::Struct then queue.concat(item.to_a)
        end
      end
      true
    end
  end

  class Full
    def __adopt_self__
      @id, @options, @classes = :self, {}, {}
      self
    end
  end

  # Which parts of Ruby a sandbox shows.
  module Setup
    METHODS = {
      load: %i[load require require_relative autoload autoload?],
      io: %i[test],
      env: %i[syscall open printf print putc puts gets readline getc select readlines p display],
      real: %i[abort at_exit caller exit trace_var untrace_var set_trace_func warn trap exec fork exit! system ` sleep]
    }.freeze
    CONSTANTS = {
      load: [],
      io: %i[IOError EOFError IO FileTest File Dir],
      env: %i[STDIN STDOUT STDERR],
      real: %i[ThreadError Thread Continuation ThreadGroup Process GC ObjectSpace]
    }.freeze
    HIDDEN = CONSTANTS.flat_map { |group, names| names.map { |name| [name, group] } }.to_h.freeze
    KEPT = {}
    REQUIRE = ::Kernel.method(:require)
    PATHS = []
    STATE = { safe: false, shown: CONSTANTS.keys }

    class << self
      def safe? = STATE[:safe]

      def init(groups)
        shown = groups.include?(:all) ? CONSTANTS.keys : groups
        STATE[:shown] = shown
        STATE[:safe] = shown.empty?
        (CONSTANTS.keys - shown).each { |group| hide(group) }
        nil
      end

      def hide(group)
        CONSTANTS[group].each do |name|
          KEPT[name] = ::Object.__send__(:remove_const, name) if ::Object.const_defined?(name, false)
        end
        METHODS[group].each do |name|
          # Not asked for before: a method that this platform lacks says that it is not there, and is.
          [::Kernel, ::Kernel.singleton_class, *(name.start_with?("autoload") ? [::Module] : [])].each do |home|
            home.undef_method(name)
          rescue ::NameError
            nil
          end
        end
        return unless group == :load
        PATHS.replace($LOAD_PATH.dup)
        $LOAD_PATH.clear
      end

      # Brings a hidden constant of Ruby's own back.
      def restore(path)
        name = path.to_sym
        ::Object.const_set(name, KEPT.fetch(name)) unless ::Object.const_defined?(name, false)
        nil
      end

      # A library whose other half is compiled into the interpreter: it is in every box.
      def require_own(name)
        $LOAD_PATH.replace(PATHS)
        REQUIRE.call("#{name.delete_suffix(".so")}.so")
      rescue ::LoadError
        ::Kernel.raise(::LoadError, "cannot load such file -- #{name}")
      ensure
        $LOAD_PATH.clear
      end

      # While a file found by another sandbox is loaded, `require` asks there, if this sandbox has none of its own.
      def with_require
        return yield if STATE[:shown].include?(:load)
        ::Kernel.define_method(:require) do |name|
          found = Glue.resolve(name.to_s, nil)
          found.nil? ? Setup.require_own(name.to_s) : found
        end
        ::Kernel.define_method(:require_relative) do |name|
          from = nil
          Glue::PLACES.call { |place| break from = place.path unless place.path == "(oubliette)" }
          Glue.resolve(name.to_s, from).nil? ? ::Kernel.raise(::LoadError, "cannot load such file -- #{name}") : true
        end
        begin
          yield
        ensure
          ::Kernel.undef_method(:require)
          ::Kernel.undef_method(:require_relative)
        end
      end
    end
  end
end

BoxedClass = Sandbox::BoxedClass

module Kernel
  # The interpreter of a box never ends by itself: its program's end is ours to tell.
  def at_exit(&block)
    raise ArgumentError, "called without block" unless block
    Sandbox::Glue::AT_EXIT << block
    block
  end
  module_function :at_exit
end

# Other processes and threads do not exist here. What would reach them says so, unless the embedder offers something under its name; what
# answers so by itself (`fork`, `daemon`, `Ractor`) is left as it is, and `respond_to?` false with it.
module Sandbox
  module Setup
    ABSENT = {
      [::Kernel, ::Kernel.singleton_class] => %i[exec system ` spawn trap],
      [::Process.singleton_class] => %i[exec spawn wait wait2 waitpid waitpid2 waitall detach kill],
      [::Signal.singleton_class] => %i[trap],
      [::IO.singleton_class] => %i[popen],
      [::Thread.singleton_class] => %i[new start fork]
    }.freeze

    ABSENT.each do |homes, names|
      thread = homes.include?(::Thread.singleton_class)
      names.each do |name|
        what = thread ? "Thread.#{name}" : name == :` ? "`command`" : name.to_s
        which = thread ? "threads" : name == :trap ? "signals" : "other processes"
        text = "#{what} does not work in a sandbox: there are no #{which} here"
        homes.each do |home|
          home.define_method(name) { |*_, **_, &_| ::Kernel.raise ::NotImplementedError, text, Glue::CALLER.call(1) }
          home.__send__(:private, name) if home.equal?(::Kernel)
        end
      end
    end
  end
end

# The C library here knows no text but ASCII: what a variable holds beyond it would come as bytes.
module Sandbox
  module Variables
    def self.text(item)
      case item
      when ::String
        return item unless item.encoding == ::Encoding::BINARY
        text = item.dup.force_encoding(::Encoding::UTF_8)
        text.valid_encoding? ? text.freeze : item
      when ::Array then item.map { |part| text(part) }
      when ::Hash then item.to_h { |name, value| [text(name), text(value)] }
      else item
      end
    end

    %i[[] to_hash to_a keys values values_at slice key assoc rassoc].each do |name|
      define_method(name) { |*given| Variables.text(super(*given)) }
    end

    def fetch(name, *) = key?(name) ? Variables.text(super) : super

    def to_h(&block) = block ? to_hash.to_h(&block) : to_hash

    def each_pair(&block) = block ? super() { |*pair| block.call(Variables.text(pair.flatten)) } : super
    alias each each_pair
  end
end
ENV.singleton_class.prepend(Sandbox::Variables)
ENV.clear
$stdout.sync = true
$stderr.sync = true
$0 = "(sandbox)"

# Timeout without a thread: the clock is looked at while the block's own Ruby runs. What stays inside one call or an empty `while` is not
# interrupted by it, but by the limits of the sandbox.
require "timeout"

module Timeout
  CLOCK = ::Process.method(:clock_gettime)
  MONOTONIC = ::Process::CLOCK_MONOTONIC
  private_constant :CLOCK, :MONOTONIC

  # Not for programs to rescue: it leaves the block whatever is rescued in there.
  class Late < ::Exception; end
  private_constant :Late

  def self.timeout(sec, klass = nil, message = nil, &block)
    return yield(sec) if sec.nil? || sec.zero?
    raise ::ArgumentError, "Timeout sec must be a non-negative number" if sec < 0
    message ||= "execution expired"
    return watch(sec, [klass, message], &block) if klass
    late = Late.new(message)
    begin
      watch(sec, [late], &block)
    rescue Late => error
      raise unless error.equal?(late)
      raise Error, message
    end
  end

  def self.watch(sec, error)
    ends = CLOCK.call(MONOTONIC) + sec
    left = 0
    guard = ::TracePoint.new(:line, :call, :b_call, :c_call) do
      left -= 1
      if left < 0
        left = 15
        ::Kernel.raise(*error) if CLOCK.call(MONOTONIC) >= ends
      end
    end
    guard.enable { yield(sec) }
  end
  private_class_method :watch
end

# Told to the host, in this order: the outbox, the object that answers to `enter`, where questions lie, and what plain values look like.
[Sandbox::Glue::OUT, Sandbox::Glue, Sandbox::Glue::QUERY, nil, true, String.new("plain"), String.new("plain").freeze, 1234.5].each do |item|
  JS::Object.wrap(item)
end
Object.__send__(:remove_const, :JS)
[Integer, Float, String, TrueClass, FalseClass, Proc].each { |klass| klass.undef_method(:to_js) }
$LOADED_FEATURES.reject! { |feature| feature.end_with?("js.so") }
Dir.glob("/usr/local/lib/ruby/gems/*/gems/*/lib").sort.each { |path| $LOAD_PATH << path }
GC.start
nil
