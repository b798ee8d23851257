package org.openapitools.jackson.nullable;

/** The methods of jackson-databind-nullable, which the generated pom.xml names. */
public abstract class JsonNullable<T> {
    public static <T> JsonNullable<T> of(T value) {
        throw new UnsupportedOperationException();
    }

    public static <T> JsonNullable<T> undefined() {
        throw new UnsupportedOperationException();
    }

    public abstract T get();

    public abstract T orElse(T other);

    public abstract boolean isPresent();
}
