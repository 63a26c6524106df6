@main enum Martlet {
  static func main() { print("martlet") }
}
