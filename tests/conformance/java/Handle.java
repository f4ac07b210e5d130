import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;

/** What a node gives to later ones. */
sealed interface Handle {
    /** Type of its keys. */
    Type key();

    /** Type of its values. */
    Type value();

    record Stream(KStream<Object, Object> dsl, Type key, Type value) implements Handle { }

    record Table(KTable<Object, Object> dsl, Type key, Type value) implements Handle { }

    record GroupedStream(KGroupedStream<Object, Object> dsl, Type key, Type value) implements Handle { }

    record GroupedTable(KGroupedTable<Object, Object> dsl, Type key, Type value) implements Handle { }

    /** Ended when it has its default branch. */
    record Split(BranchedKStream<Object, Object> dsl, Type key, Type value, AtomicBoolean ended) implements Handle { }

    record Store(String name, Type key, Type value) implements Handle { }
}
