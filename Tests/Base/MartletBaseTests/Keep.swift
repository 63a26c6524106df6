/// Uses `value`: an optimizer drops a computation whose result nobody looks at, trap and all.
@inline(never)
func keep<Value>(_ value: Value) {
  if String(describing: value).isEmpty { print("nothing") }
}
