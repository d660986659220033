//! Classes.

use super::composite::method_kind;
use super::{C, Compiler, Reg, Source};
use crate::bytecode::{Op, frame};
use crate::syntax::atoms::Atom;
use crate::syntax::tree::{BindingId, BindingKind, ClassId, FunctionId, Kind, NONE, NodeId, PropertyKind, flag, function_flag};

impl Compiler<'_> {
    /// Makes a class; its constructor ends up in `to`.
    pub(super) fn class(&mut self, id: ClassId, to: Reg, name: Atom) -> C<()> {
        let class = *self.tree.class(id);
        let mark = self.frame.next;
        let strict = std::mem::replace(&mut self.frame.strict, true);
        let saved = self.enter_scope(class.scope)?;
        // Constructor and prototype, side by side; then the heritage.
        let constructor = self.take(3)?;
        let (prototype, heritage) = (constructor + 1, constructor + 2);
        if class.heritage == NONE {
            self.op1(Op::LoadUninitialised, heritage);
        } else {
            self.expr(class.heritage, heritage)?;
        }
        let inner_saved = if class.private_scope == class.scope { None } else { Some(self.enter_scope(class.private_scope)?) };
        self.private_names(class.private_scope)?;
        let source =
            if class.constructor == NONE { Source::DefaultConstructor(id) } else { Source::Function(self.tree.node(class.constructor).a) };
        let number = self.job(source, name, self.frame.job)?;
        self.at(class.start);
        self.op2(Op::NewClass, constructor, heritage);
        self.word(number);
        self.class_elements(id, constructor, prototype)?;
        if class.inner_name != NONE {
            self.initialise(class.inner_name, constructor)?;
        }
        if class.instance_fields != NONE {
            let initialiser = self.temp()?;
            self.closure(initialiser, class.instance_fields, NONE)?;
            self.op2(Op::SetHomeObject, initialiser, prototype);
            self.op2(Op::SetFieldInitialiser, constructor, initialiser);
        }
        self.static_methods(id, constructor)?;
        if class.static_fields != NONE {
            let window = self.window(0)?;
            let callee = window + u32::from(frame::CALLEE);
            self.closure(callee, class.static_fields, NONE)?;
            self.op2(Op::SetHomeObject, callee, constructor);
            self.op_move(window + u32::from(frame::THIS), constructor);
            self.op3(Op::Call, window, window, 0);
        }
        if let Some(inner) = inner_saved {
            self.leave_scope(inner);
        }
        self.leave_scope(saved);
        self.frame.strict = strict;
        self.op_move(to, constructor);
        self.release(mark);
        Ok(())
    }

    /// A new private name for each that the class declares.
    fn private_names(&mut self, scope: u32) -> C<()> {
        let bindings: Vec<BindingId> = self.tree.bindings_of(scope).collect();
        for binding in bindings {
            let info = *self.tree.binding(binding);
            if info.kind != BindingKind::Private {
                continue;
            }
            let register = self.temp()?;
            self.op_key(Op::NewPrivateName, register, 0, info.name)?;
            // The functions that run the fields use it too.
            self.box_value(binding, register)?;
        }
        Ok(())
    }

    /// Methods and accessors, and the computed keys of fields, in order.
    fn class_elements(&mut self, id: ClassId, constructor: Reg, prototype: Reg) -> C<()> {
        let elements: Vec<NodeId> = self.tree.list(self.tree.class(id).elements).to_vec();
        for element in elements {
            let node = self.tree.node(element);
            let computed = node.flags & flag::COMPUTED != 0;
            let holder = if node.flags & flag::STATIC != 0 { constructor } else { prototype };
            match node.kind {
                Kind::ClassMethod => {
                    let kind = PropertyKind::from_small(node.small);
                    let key_node = self.tree.node(node.a);
                    if key_node.kind == Kind::PrivateName {
                        // Kept until instances, or the finished class, get it.
                        let function = self.take(2)?;
                        let number = self.tree.node(node.b).a;
                        self.closure(function, number, NONE)?;
                        if kind != PropertyKind::Method {
                            self.load_text(function + 1, key_node.a);
                            self.op3(Op::SetFunctionName, function, function + 1, method_kind(kind));
                        }
                        self.op2(Op::SetHomeObject, function, holder);
                        self.release(function + 1);
                        self.keep_hidden(element, function)?;
                        continue;
                    }
                    let mark = self.frame.next;
                    let key = self.take(2)?;
                    self.property_name(node.a, computed, key)?;
                    let named = !computed && key_node.kind == Kind::String && !self.is_keyed(key_node.a);
                    self.method_closure(node.b, key + 1, key, kind, !named)?;
                    self.at(node.start);
                    self.op3(Op::DefineMethod, holder, key, key + 1);
                    self.word(method_kind(kind) << 1);
                    self.release(mark);
                }
                Kind::ClassField if computed => {
                    let key = self.temp()?;
                    self.property_name(node.a, true, key)?;
                    self.keep_hidden(element, key)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps the value of the last register taken for the functions that run fields.
    fn keep_hidden(&mut self, element: NodeId, register: Reg) -> C<()> {
        let binding = self.synthetic();
        self.hidden.insert(element, binding);
        self.box_value(binding, register)
    }

    /// Static private methods belong to the class itself.
    fn static_methods(&mut self, id: ClassId, constructor: Reg) -> C<()> {
        let elements: Vec<NodeId> = self.tree.list(self.tree.class(id).elements).to_vec();
        for element in elements {
            let node = self.tree.node(element);
            if node.kind == Kind::ClassMethod && node.flags & flag::STATIC != 0 {
                self.private_method(element, constructor)?;
            }
        }
        Ok(())
    }

    /// Adds a private method to an object; nothing if the element is none.
    fn private_method(&mut self, element: NodeId, object: Reg) -> C<()> {
        let node = self.tree.node(element);
        if self.tree.node(node.a).kind != Kind::PrivateName {
            return Ok(());
        }
        let mark = self.frame.next;
        let name = self.load_private(node.a)?;
        let function = self.temp()?;
        let binding = self.hidden.get(&element).copied().unwrap_or(NONE);
        self.load_binding(binding, function, None)?;
        self.at(node.start);
        self.op3(Op::DefinePrivateMethod, object, name, function);
        self.word(method_kind(PropertyKind::from_small(node.small)));
        self.release(mark);
        Ok(())
    }

    /// The body of the function that runs the instance fields, or the static elements, of a class.
    pub(super) fn run_fields(&mut self, id: FunctionId) -> C<()> {
        let function = *self.tree.function(id);
        let is_static = function.flags & function_flag::STATIC != 0;
        let elements: Vec<NodeId> = self.tree.list(self.tree.class(function.class).elements).to_vec();
        let mark = self.frame.next;
        let this = self.temp()?;
        self.load_this(this, function.start)?;
        if !is_static {
            for &element in &elements {
                let node = self.tree.node(element);
                if node.kind == Kind::ClassMethod && node.flags & flag::STATIC == 0 {
                    self.private_method(element, this)?;
                }
            }
        }
        for element in elements {
            let node = self.tree.node(element);
            if (node.flags & flag::STATIC != 0) != is_static {
                continue;
            }
            match node.kind {
                Kind::ClassField => self.field(element, this)?,
                Kind::StaticBlock => {
                    let saved = self.enter_scope(node.b)?;
                    self.statements(node.a)?;
                    self.leave_scope(saved);
                }
                _ => {}
            }
        }
        self.release(mark);
        Ok(())
    }

    fn field(&mut self, element: NodeId, this: Reg) -> C<()> {
        let node = self.tree.node(element);
        let key_node = self.tree.node(node.a);
        let computed = node.flags & flag::COMPUTED != 0;
        let mark = self.frame.next;
        let value = self.take(2)?;
        let key = value + 1;
        let private = key_node.kind == Kind::PrivateName;
        let named = !computed && key_node.kind == Kind::String && !self.is_keyed(key_node.a);
        if computed {
            let binding = self.hidden.get(&element).copied().unwrap_or(NONE);
            self.load_binding(binding, key, None)?;
        } else if !named && !private {
            self.property_name(node.a, false, key)?;
        }
        if node.b == NONE {
            self.op1(Op::LoadUndefined, value);
        } else if named || private {
            self.named_expression(node.b, value, key_node.a)?;
        } else {
            self.expr(node.b, value)?;
            if self.is_anonymous(self.tree.node(node.b)) {
                self.op3(Op::SetFunctionName, value, key, 0);
            }
        }
        self.at(node.start);
        if private {
            let name = self.load_private(node.a)?;
            self.op3(Op::DefinePrivate, this, name, value);
        } else if named {
            self.op_key(Op::DefineField, this, value, key_node.a)?;
        } else {
            self.op3(Op::DefineElement, this, key, value);
        }
        self.release(mark);
        Ok(())
    }
}
