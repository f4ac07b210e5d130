import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** Kafka Streams' side of the cases. */
public final class ConformanceSide {
    private ConformanceSide() { }

    public static void main(String[] arguments) throws IOException {
        // What is said on standard output is the answers alone; logs go to standard error.
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        switch (arguments.length == 0 ? "" : arguments[0]) {
            case "driver" -> driver(input, answers);
            default -> {
                System.err.println("usage: ConformanceSide driver");
                System.exit(2);
            }
        }
    }

    /** Answers each line, a case, with a line. */
    private static void driver(BufferedReader input, PrintStream answers) throws IOException {
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            answers.println(DriverRun.answer(line));
        }
    }
}
