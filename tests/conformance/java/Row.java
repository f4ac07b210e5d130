/** A value of the type {@code record}. */
record Row(long n, String s) { }
